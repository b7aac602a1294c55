"""Average precision as COCO defines it, computed by pycocotools' own COCOeval.

A language model states no confidence, so every box has the score 1. The mean probability of its tokens would rank
the boxes, and so lift the figure a little, but it differs in the last digits from machine to machine, and the
order of two near-equal boxes with it; and base models of different families would not be comparable. With equal
scores COCOeval takes the frames in their order and the boxes in the order of the answer.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = ["AveragePrecision", "average_precision"]

SCORE = 1.0
DIGITS = 6


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """AP of all classes together or of one class; None where there is no true object to find.

    Attributes:
        ap50: At IoU 0.5.
        ap50_95: The mean over IoU 0.50, 0.55, ..., 0.95.
    """

    ap50: float | None
    ap50_95: float | None


def average_precision(
    predicted: Sequence[Sequence[SeenObject]], truth: Sequence[Sequence[SeenObject]]
) -> tuple[AveragePrecision, dict[str, AveragePrecision]]:
    """Return mAP and the AP of every class that the truth has.

    A box whose label is no class of the truth belongs to no class and so enters no AP, as always with COCO.

    Args:
        predicted: The boxes of every frame; at most COCO's 100 a frame and class are looked at.
        truth: The objects of every frame, in the same order.

    Returns:
        The mean over classes, and by label.
    """
    labels = sorted({item.label for frame in truth for item in frame})
    if not labels:
        return AveragePrecision(None, None), {}
    precision = _precision(predicted, truth, labels)
    by_class = {label: _mean(precision[:, :, [number]]) for number, label in enumerate(labels)}
    return _mean(precision), by_class


def _precision(
    predicted: Sequence[Sequence[SeenObject]], truth: Sequence[Sequence[SeenObject]], labels: list[str]
) -> Any:
    """Return interpolated precision, shape (10 IoU thresholds, 101 recalls, classes)."""
    spoken = io.StringIO()
    with contextlib.redirect_stdout(spoken):
        evaluation = COCOeval(_as_coco(truth, labels), _as_coco(predicted, labels), "bbox")
        # summarize() would print; its figures are means of this table.
        evaluation.evaluate()
        evaluation.accumulate()
    get_logger("pycocotools").debug("COCOeval", said=" ".join(spoken.getvalue().split()))
    all_areas, most_detections = 0, -1
    return evaluation.eval["precision"][:, :, :, all_areas, most_detections]


def _as_coco(frames: Sequence[Sequence[SeenObject]], labels: list[str]) -> COCO:
    category = {label: number for number, label in enumerate(labels, start=1)}
    annotations: list[dict[str, Any]] = [
        {"image_id": image, "category_id": category[item.label], "bbox": list(item.bbox)}
        for image, frame in enumerate(frames, start=1)
        for item in frame
        if item.label in category
    ]
    # COCOeval takes an annotation whose id is 0 for "no match", so ids begin with 1.
    for number, entry in enumerate(annotations, start=1):
        entry |= {"id": number, "area": entry["bbox"][2] * entry["bbox"][3], "iscrowd": 0, "score": SCORE}
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(1, len(frames) + 1)],
        "categories": [{"id": number, "name": label} for label, number in category.items()],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _mean(precision: Any) -> AveragePrecision:
    return AveragePrecision(_mean_of_valid(precision[0]), _mean_of_valid(precision))


def _mean_of_valid(values: Any) -> float | None:
    # COCOeval marks a class without true objects by -1.
    valid = values[values > -1]
    return round(float(np.mean(valid)), DIGITS) if valid.size else None
