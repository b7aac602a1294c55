"""Seeded variety: stable, independent of order, in the wanted shares."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations import Frame
from sam2vlm.data_converter.instructions import PLAIN_TASKS, InstructionMix, wordings
from sam2vlm.errors import SettingsError

FRAMES = [Frame("abc", number, 0.0, 8, 8, ()) for number in range(3000)]


def test_every_wording_is_used_and_none_twice_in_a_frame():
    mix = InstructionMix(per_frame=5)
    used = Counter()
    for frame in FRAMES[:300]:
        found = [(item.task, item.prompt) for item in mix.for_frame(frame)]
        assert len(set(found)) == 5
        used.update(found)
    assert set(used) == {(task, word) for task in PLAIN_TASKS for word in wordings("en", task)}


def test_all_wordings_can_be_asked_of_one_frame():
    total = sum(len(wordings("en", task)) for task in PLAIN_TASKS)
    assert len(set(InstructionMix(per_frame=total).for_frame(FRAMES[1]))) == total


def test_shares_follow_the_weights():
    mix = InstructionMix(weights={"detect": 6, "count": 3, "describe": 1}, per_frame=1)
    counts = Counter(mix.for_frame(frame)[0].task for frame in FRAMES)
    assert counts["detect"] / 3000 == pytest.approx(0.6, abs=0.04)
    assert counts["count"] / 3000 == pytest.approx(0.3, abs=0.04)


def test_every_task_comes_once_before_any_comes_twice():
    mix = InstructionMix(weights={"detect": 100, "count": 1, "describe": 1}, per_frame=3)
    for frame in FRAMES[:50]:
        assert {item.task for item in mix.for_frame(frame)} == set(PLAIN_TASKS)


def test_a_task_without_weight_is_not_asked():
    mix = InstructionMix(weights={"detect": 1, "count": 0}, per_frame=2)
    assert {item.task for frame in FRAMES[:50] for item in mix.for_frame(frame)} == {"detect"}


def test_the_seed_changes_the_choice():
    first, second = (InstructionMix(seed=seed, per_frame=2) for seed in (1, 2))
    assert any(first.for_frame(frame) != second.for_frame(frame) for frame in FRAMES[:20])


@given(st.text(max_size=20), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_samples_instructions_depend_on_nothing_but_frame_and_plan(video_id, seed, per_frame):
    frame = Frame(video_id, 1, 0.0, 8, 8, ())
    first = InstructionMix(seed=seed, per_frame=per_frame).for_frame(frame)
    assert InstructionMix(seed=seed, per_frame=per_frame).for_frame(frame) == first
    assert len(first) == per_frame


def test_another_process_with_another_hash_seed_chooses_the_same():
    program = (
        "from sam2vlm.annotations import Frame;"
        "from sam2vlm.data_converter.instructions import InstructionMix;"
        "frames = [Frame('v', n, 0.0, 8, 8, ()) for n in range(20)];"
        "print([(i.task, i.prompt) for f in frames for i in InstructionMix(per_frame=2).for_frame(f)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"weights": {"sing": 1}}, "no such task"),
        ({"weights": {"detect": -1}}, "impossible weight"),
        ({"weights": {"detect": float("nan")}}, "impossible weight"),
        ({"weights": {"detect": 0}}, "asks nothing"),
        ({"weights": {}}, "asks nothing"),
        ({"per_frame": 0}, "impossible number of conversations"),
        ({"per_frame": 1000}, "impossible number of conversations"),
        ({"language": "tlh"}, "no wordings in this language"),
        ({"weights": {"track": 1}}, "asks nothing about single frames"),
        ({"max_same_answer": 0}, "impossible share"),
        ({"max_points": 3}, "impossible polygon"),
    ],
)
def test_an_impossible_plan_is_a_wrong_setting(options, what):
    with pytest.raises(SettingsError, match=what):
        InstructionMix(**options)
