"""The figures of one model on the test split.

| figure | meaning |
| --- | --- |
| ``mAP50``, ``mAP50_95`` | COCO's mean average precision at IoU 0.5 and over 0.50-0.95, see :mod:`.average_precision` |
| ``mean_iou`` | mean over the true objects of the IoU with the box of the same label assigned to it, 0 without one |
| ``count_accuracy`` | share of frames whose answer to "how many" is the true number; an unreadable one is wrong |
| ``label_accuracy`` | share of the located objects (IoU >= 0.5, any label) whose box has the right label |
| ``localisation_recall`` | share of the true objects that are located, whatever the label |
| ``localisation_precision`` | share of the predicted boxes that locate an object, whatever the label |

Boxes are assigned one to one, see :mod:`.matching`. Labels are compared letter by letter. A figure that has nothing
to be computed from is None, and ``undefined`` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.evaluation.average_precision import DIGITS, average_precision
from sam2vlm.evaluation.matching import ious_of_truth, located_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_converter.instructions.seen_objects import SeenObject
    from sam2vlm.evaluation.average_precision import AveragePrecision

__all__ = ["METRICS", "FrameResult", "frame_score", "score_frames"]

#: The figures of the before/after table, in its order.
METRICS = ("mAP50", "mAP50_95", "mean_iou", "count_accuracy", "label_accuracy")

NO_OBJECTS = "the test split has no objects"
NO_FRAMES = "no frame was asked for its count"


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What one model said about one frame, beside the truth.

    Attributes:
        sample_id: The frame.
        truth: Its objects.
        predicted: The boxes that could be read from the answer to the detect question.
        count: The number that could be read from the answer to the count question; None where none could.
    """

    sample_id: str
    truth: tuple[SeenObject, ...]
    predicted: tuple[SeenObject, ...]
    count: int | None


def score_frames(frames: Sequence[FrameResult]) -> dict[str, Any]:
    """Return one model's figures as ``metrics.json`` has them.

    Args:
        frames: All frames of the split, in its order.

    Returns:
        The figures of the module's table, rounded to six digits, then ``per_class`` (``AP50``, ``AP50_95``,
        ``mean_iou``, ``objects``, ``predicted`` by label), ``frames``, ``objects``, ``predicted_objects``,
        ``foreign_labels`` (boxes whose label is no class of the split) and ``undefined`` (reason by figure).
    """
    overall, by_class = average_precision([frame.predicted for frame in frames], [frame.truth for frame in frames])
    figures: dict[str, Any] = {"mAP50": overall.ap50, "mAP50_95": overall.ap50_95}
    figures |= _overlap(frames) | _counting(frames) | _localisation(frames)
    figures["undefined"] = {name: _reason(name, figures) for name, value in figures.items() if value is None}
    figures["frames"] = len(frames)
    figures["objects"] = sum(len(frame.truth) for frame in frames)
    figures["predicted_objects"] = sum(len(frame.predicted) for frame in frames)
    figures["foreign_labels"] = sum(item.label not in by_class for frame in frames for item in frame.predicted)
    figures["per_class"] = {label: _class_figures(label, ap, frames) for label, ap in by_class.items()}
    return figures


def frame_score(frame: FrameResult) -> float:
    """Return how good one frame's boxes are, 0 to 1, to tell the best cases from the worst.

    It is a soft F1: twice the sum of the assigned IoUs of the same label over the number of true and predicted
    objects together, so that a missed object costs as much as an invented one. A frame with neither scores 1.
    """
    objects = len(frame.truth) + len(frame.predicted)
    return 2 * sum(ious_of_truth(frame.predicted, frame.truth)) / objects if objects else 1.0


def _overlap(frames: Sequence[FrameResult]) -> dict[str, float | None]:
    ious = [value for frame in frames for value in ious_of_truth(frame.predicted, frame.truth)]
    return {"mean_iou": _share(sum(ious), len(ious))}


def _counting(frames: Sequence[FrameResult]) -> dict[str, float | None]:
    right = sum(frame.count == len(frame.truth) for frame in frames)
    return {"count_accuracy": _share(right, len(frames))}


def _localisation(frames: Sequence[FrameResult]) -> dict[str, float | None]:
    located = labelled = 0
    for frame in frames:
        pairs = located_pairs(frame.predicted, frame.truth)
        located += len(pairs)
        labelled += sum(frame.predicted[row].label == frame.truth[column].label for row, column in pairs)
    return {
        "label_accuracy": _share(labelled, located),
        "localisation_recall": _share(located, sum(len(frame.truth) for frame in frames)),
        "localisation_precision": _share(located, sum(len(frame.predicted) for frame in frames)),
    }


def _class_figures(label: str, ap: AveragePrecision, frames: Sequence[FrameResult]) -> dict[str, Any]:
    ious = [
        value
        for frame in frames
        for item, value in zip(frame.truth, ious_of_truth(frame.predicted, frame.truth), strict=True)
        if item.label == label
    ]
    return {
        "AP50": ap.ap50,
        "AP50_95": ap.ap50_95,
        "mean_iou": _share(sum(ious), len(ious)),
        "objects": len(ious),
        "predicted": sum(item.label == label for frame in frames for item in frame.predicted),
    }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, DIGITS) if whole else None


def _reason(name: str, figures: dict[str, Any]) -> str:
    if name == "count_accuracy":
        return NO_FRAMES
    if name == "localisation_precision":
        return "no box was predicted"
    if name == "label_accuracy" and figures["mean_iou"] is not None:
        return "no object was located, so there is no label to judge"
    return NO_OBJECTS
