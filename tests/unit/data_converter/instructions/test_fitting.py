"""A plan fitted to a dataset: caps that hold, the same choice every time, and every question left out counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sam2vlm.data_converter.instructions import FRAME_TASKS, InstructionMix, LlavaBoxes, written
from sam2vlm.data_converter.instructions.fitting import fit_mix

EVERYTHING = dict.fromkeys(FRAME_TASKS, 1.0)


@pytest.fixture
def splits(thing, frame_of):
    """Forty frames: three objects in thirty of them, one in six, none in four."""
    frames = []
    for number in range(40):
        objects = [
            thing(1, "fish", (number, 0, 20, 20)),
            thing(2, "fish", (number, 40, 30, 30)),
            thing(3, "sea star", (90, 30 + number % 7, 20, 20)),
        ]
        kept = objects if number % 10 else []
        frames.append(frame_of(*(kept if number % 7 else kept[:1]), index=number))
    return {"train": frames[:30], "val": frames[30:]}


def asked_of(mix, splits):
    return {
        frame.sample_id: [(item, frame) for item in mix.for_frame(frame)]
        for frames in splits.values()
        for frame in frames
    }


def answers_of(mix, splits):
    found = Counter()
    for pairs in asked_of(mix, splits).values():
        for item, frame in pairs:
            found[item.task, written(item, frame.objects, 120, 80, LlavaBoxes())[1]] += 1
    return found


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_no_answer_has_more_than_its_share(splits, share):
    mix = InstructionMix(max_same_answer=share)
    before = answers_of(mix, splits)
    fitted, facts = fit_mix(mix, splits)
    after = answers_of(fitted, splits)
    totals = Counter()
    for (task, _answer), count in before.items():
        totals[task] += count
    for (task, answer), count in before.items():
        assert after[task, answer] == min(count, max(1, int(share * totals[task])))
    assert facts.left_out.get("same_answer", 0) == before.total() - after.total()
    assert sum(facts.conversations.values()) == before.total()


def test_a_cap_only_takes_away_and_takes_the_same_every_time(splits):
    mix = InstructionMix(max_same_answer=0.2)
    whole, fitted = asked_of(mix, splits), asked_of(fit_mix(mix, splits)[0], splits)
    assert all(pairs == [pair for pair in whole[name] if pair in pairs] for name, pairs in fitted.items())
    turned = {split: frames[::-1] for split, frames in reversed(splits.items())}
    assert asked_of(fit_mix(mix, turned)[0], splits) == fitted
    assert asked_of(fit_mix(InstructionMix(max_same_answer=0.2, seed=1), splits)[0], splits) != fitted


def test_without_a_cap_nothing_is_left_out(splits):
    fitted, facts = fit_mix(InstructionMix(max_same_answer=1.0), splits)
    assert fitted.kept_below == {}
    assert facts.left_out == {}
    assert facts.outlines == {}


def test_every_task_is_asked_and_what_cannot_be_asked_is_counted(splits):
    fitted, facts = fit_mix(InstructionMix(weights=EVERYTHING, per_frame=8, max_same_answer=1.0), splits)
    tasks = Counter(item.task for pairs in asked_of(fitted, splits).values() for item, _frame in pairs)
    assert set(tasks) == set(FRAME_TASKS)
    assert tasks.total() + facts.left_out.get("nothing_to_ask", 0) == 40 * 8
    assert fitted.vocabulary == ("fish", "sea star")
    assert facts.outlines == {"count": tasks["polygon"], "mean_iou": 1.0, "min_iou": 1.0, "most_points": 4}


def test_a_frame_without_objects_gives_less_to_ask(frame_of):
    empty = {"train": [frame_of()]}
    fitted, facts = fit_mix(InstructionMix(weights={"locate": 1.0, "name": 1.0}, per_frame=2), empty)
    assert fitted.for_frame(empty["train"][0]) == []
    assert facts.left_out == {"nothing_to_ask": 2}


def test_a_mask_that_no_short_polygon_tells_is_counted(thing, frame_of):
    pixels = np.zeros((80, 120), np.uint8)
    pixels[10:30, 10:30] = pixels[10:30, 60:80] = 1
    frames = {"train": [frame_of(thing(1, "twins", None, pixels=pixels))]}
    fitted, facts = fit_mix(InstructionMix(weights={"polygon": 1.0}, per_frame=1), frames)
    assert fitted.for_frame(frames["train"][0]) == []
    assert facts.left_out == {"no_short_outline": 1, "nothing_to_ask": 1}


def test_chinese_asks_and_answers_in_chinese(splits):
    fitted, _facts = fit_mix(
        InstructionMix(weights=EVERYTHING, per_frame=8, language="zh", max_same_answer=1.0), splits
    )
    told = {}
    for pairs in asked_of(fitted, splits).values():
        for item, frame in pairs:
            told.setdefault(item.task, set()).add(written(item, frame.objects, 120, 80, LlavaBoxes()))
    assert {answer for _question, answer in told["describe"]} == {
        "图中没有物体。",
        "图中有1个物体\uff1a1个fish。",
        "图中有3个物体\uff1a2个fish和1个sea star。",
    }
    assert {answer for _question, answer in told["absent"]} == {"图中没有fish。", "图中没有sea star。"}
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in question) for pair in told.values() for question, _ in pair)


def test_an_answer_never_speaks_of_what_is_not_visible(splits):
    fitted, _facts = fit_mix(InstructionMix(weights=EVERYTHING, per_frame=8, max_same_answer=1.0), splits)
    for pairs in asked_of(fitted, splits).values():
        for item, frame in pairs:
            labels = {thing.label for thing in frame.visible_objects}
            question, answer = written(item, frame.objects, 120, 80, LlavaBoxes())
            if item.task == "absent":
                assert item.label not in labels
                assert answer == f"There is no {item.label} in the picture."
            elif item.task in ("locate", "refer", "name", "polygon"):
                meant = next(thing for thing in frame.objects if thing.object_id == item.object_id)
                assert answer.startswith(meant.label)
                assert item.task == "name" or item.label in (None, meant.label)
                assert item.label is None or item.task == "name" or item.label in question
            elif not labels:
                assert answer in ("none", "0", "There are no objects.")
