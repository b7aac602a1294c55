"""The report says first whether tuning helped, and nothing of a user's breaks it."""

from __future__ import annotations

import pytest

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.cases import choose_cases
from sam2vlm.evaluation.metrics import FrameResult, score_frames
from sam2vlm.evaluation.report import Case, render_report, verdict

FISH = SeenObject("fish|[x](y)", (0.0, 0.0, 10.0, 10.0))
CRAB = SeenObject("crab", (50.0, 50.0, 20.0, 10.0))


def frames(*predicted):
    return [
        FrameResult(f"v/{number:06d}", truth=(FISH, CRAB), predicted=tuple(said), count=len(said))
        for number, said in enumerate(predicted)
    ]


def metrics(base, tuned):
    return {
        "base": score_frames(frames(*base)),
        "tuned": score_frames(frames(*tuned)),
        "ceiling": score_frames(frames(*([FISH, CRAB] for _ in base))),
    }


def report(figures, **changes):
    counts = {"answers": 1, "unreadable": 0, "unreadable_parts": 0, "cut_off": 0, "examples": []}
    values = {
        "experiment": "reef",
        "base_model": "tiny-llava",
        "prompts": {"detect": "Where?"},
        "reading": {model: {"detect": dict(counts)} for model in ("base", "tuned")},
        "cases": [],
        "settings": {"batch_size": 4},
    }
    return render_report(figures, **(values | changes))


@pytest.mark.parametrize(
    ("base", "tuned", "sentence"),
    [
        (
            [[FISH]],
            [[FISH, CRAB]],
            "The tuned model is better than the base model: mAP50 was 0.500 before and is 1.000",
        ),
        ([[FISH, CRAB]], [[FISH]], "The tuned model is NOT better than the base model: mAP50 was 1.000 before"),
        ([[FISH]], [[FISH]], "The tuned model is NOT better than the base model"),
    ],
)
def test_the_first_line_is_the_verdict(base, tuned, sentence):
    figures = metrics(base, tuned)
    assert verdict(figures).startswith(sentence)
    assert report(figures).splitlines()[0] == f"# {verdict(figures)}"


def test_without_objects_there_is_no_verdict():
    nothing = score_frames([FrameResult("v/000000", truth=(), predicted=(), count=0)])
    sentence = verdict({"base": nothing, "tuned": nothing, "ceiling": nothing})
    assert sentence == "Whether the tuned model is better cannot be told: the test split has no objects"


def test_before_after_and_change_stand_side_by_side():
    text = report(metrics([[FISH]], [[FISH, CRAB]]))
    assert "| `mAP50` | 0.500 | 1.000 | +0.500 | 1.000 |" in text
    assert "| `count_accuracy` | 0.000 | 1.000 | +1.000 | 1.000 |" in text
    assert "| crab | 1 | 0.000 | 1.000 | 0.000 | 1.000 | 1.000 |" in text


def test_what_is_undefined_is_told_with_its_reason():
    text = report(metrics([[]], [[FISH]]))
    assert "| `label_accuracy` | n/a | 1.000 | n/a | 1.000 |" in text
    assert "- `localisation_precision` of base is undefined: no box was predicted." in text


def test_unreadable_answers_are_counted_and_shown():
    counts = {"answers": 3, "unreadable": 2, "unreadable_parts": 5, "cut_off": 1}
    example = {"sample_id": "v/000001", "text": "`x` has\nno box"}
    reading = {"tuned": {"detect": {**counts, "examples": [example]}}}
    text = report(metrics([[FISH]], [[FISH]]), reading=reading)
    assert "| tuned | detect | 3 | 2 | 5 | 1 |" in text
    assert "- tuned, detect, `v/000001`: `'x' has no box`" in text
    assert "Everything could be read." in report(metrics([[FISH]], [[FISH]]))


def test_names_of_users_do_not_become_markup():
    case = Case("best", "v*d/000001", 1.0, 0.0, "pictures/best-01.png", FISH.label, "a|b", "c\nd")
    text = report(metrics([[FISH]], [[FISH]]), cases=[case])
    assert r"| fish\|\[x\](y) | 1 |" in text
    assert r"### Best: v\*d/000001, score 1.00 (base 0.00)" in text
    assert "- tuned: `c d`" in text


def test_the_best_come_first_then_the_very_worst_and_no_frame_twice():
    results = frames([FISH, CRAB], [], [FISH], [FISH, CRAB], [FISH, CRAB, CRAB])
    assert choose_cases(results, number=2) == [("best", 0), ("best", 3), ("worst", 1), ("worst", 2)]
    assert choose_cases(results, number=9) == [("best", 0), ("best", 3), ("best", 4), ("worst", 1), ("worst", 2)]
    assert choose_cases(results, number=0) == []
