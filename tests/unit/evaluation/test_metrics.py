"""The figures of one model, counted by hand."""

from __future__ import annotations

import pytest

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.metrics import METRICS, FrameResult, frame_score, score_frames

FISH = SeenObject("fish", (0.0, 0.0, 10.0, 10.0))
CRAB = SeenObject("crab", (50.0, 50.0, 20.0, 10.0))
SMALLER_FISH = SeenObject("fish", (1.0, 1.0, 8.0, 8.0))  # IoU 0.64 with FISH
CRAB_CALLED_FISH = SeenObject("fish", CRAB.bbox)
NET = SeenObject("net", (80.0, 0.0, 5.0, 5.0))


@pytest.fixture
def frames():
    return [
        FrameResult("v/000000", truth=(FISH, CRAB), predicted=(SMALLER_FISH, CRAB_CALLED_FISH), count=2),
        FrameResult("v/000001", truth=(FISH,), predicted=(), count=None),
        FrameResult("v/000002", truth=(), predicted=(NET,), count=0),
        FrameResult("v/000003", truth=(CRAB,), predicted=(CRAB,), count=3),
    ]


def test_every_figure_by_hand(frames):
    figures = score_frames(frames)
    # IoUs of the same label: 0.64 for the fish, 0 for the crab called fish, 0 for the missed fish, 1 for the crab.
    assert figures["mean_iou"] == pytest.approx(1.64 / 4)
    # Frames 0 and 2 are right; an unreadable answer is wrong.
    assert figures["count_accuracy"] == 0.5
    # Located: fish, crab (called fish), crab; two of the three have the right label.
    assert figures["label_accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["localisation_recall"] == 0.75
    assert figures["localisation_precision"] == 0.75
    assert (figures["frames"], figures["objects"], figures["predicted_objects"]) == (4, 4, 4)
    assert figures["foreign_labels"] == 1
    assert figures["undefined"] == {}
    # Recall 1/2 at precision 1 for both classes: 51 of COCO's 101 recall points.
    assert figures["mAP50"] == pytest.approx(51 / 101, abs=1e-6)
    assert figures["per_class"]["crab"] == {
        "AP50": pytest.approx(51 / 101, abs=1e-6),
        "AP50_95": pytest.approx(51 / 101, abs=1e-6),
        "mean_iou": 0.5,
        "objects": 2,
        "predicted": 1,
    }


def test_the_truth_repeated_is_perfect(frames):
    truth = [FrameResult(frame.sample_id, frame.truth, frame.truth, len(frame.truth)) for frame in frames]
    assert {name: score_frames(truth)[name] for name in METRICS} == dict.fromkeys(METRICS, 1.0)


def test_what_cannot_be_computed_is_null_with_its_reason():
    figures = score_frames([FrameResult("v/000000", truth=(), predicted=(), count=0)])
    assert figures["mAP50"] is figures["mAP50_95"] is figures["mean_iou"] is figures["label_accuracy"] is None
    assert figures["count_accuracy"] == 1.0
    assert figures["undefined"]["mAP50"] == "the test split has no objects"
    assert figures["undefined"]["localisation_precision"] == "no box was predicted"


def test_without_a_located_object_there_is_no_label_accuracy():
    figures = score_frames([FrameResult("v/000000", truth=(FISH,), predicted=(NET,), count=1)])
    assert figures["label_accuracy"] is None
    assert "no object was located" in figures["undefined"]["label_accuracy"]
    assert figures["mAP50"] == figures["mean_iou"] == figures["localisation_recall"] == 0.0


def test_a_frame_score_is_a_soft_f1(frames):
    assert [frame_score(frame) for frame in frames] == pytest.approx([2 * 0.64 / 4, 0.0, 0.0, 1.0])
    assert frame_score(FrameResult("v/000004", truth=(), predicted=(), count=0)) == 1.0
