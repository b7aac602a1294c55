"""Which predicted box belongs to which true object: one-to-one assignments by IoU.

Both assignments are optimal, not greedy: of all one-to-one assignments the one with the largest sum is taken, so
the result does not depend on the order in which a model lists its objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = ["box_iou", "ious_of_truth", "located_pairs"]

# Decides between boxes that fit an object equally well; far below any difference of IoU that matters.
SAME_LABEL_BONUS = 1e-6


def box_iou(predicted: Sequence[SeenObject], truth: Sequence[SeenObject]) -> NDArray[np.float64]:
    """Return the IoU of every predicted with every true box, by pycocotools.

    Returns:
        Shape ``(len(predicted), len(truth))``, 0 to 1.
    """
    if not predicted or not truth:
        return np.zeros((len(predicted), len(truth)))
    rows = np.array([item.bbox for item in predicted], dtype=np.float64)
    columns = np.array([item.bbox for item in truth], dtype=np.float64)
    return np.asarray(coco_mask.iou(rows, columns, [0] * len(truth)), dtype=np.float64)


def ious_of_truth(predicted: Sequence[SeenObject], truth: Sequence[SeenObject]) -> list[float]:
    """Return the IoU that each true object reaches with the predicted box of the same label assigned to it.

    Returns:
        One value a true object, in the order of ``truth``; 0 for an object that no box is assigned to.
    """
    overlap = box_iou(predicted, truth) * _same_label(predicted, truth)
    best = [0.0] * len(truth)
    for row, column in _assignment(overlap):
        best[column] = float(overlap[row, column])
    return best


def located_pairs(
    predicted: Sequence[SeenObject], truth: Sequence[SeenObject], *, threshold: float = 0.5
) -> list[tuple[int, int]]:
    """Return which predicted box locates which true object, whatever their labels say.

    As many objects as possible are located; where boxes fit equally well, the one with the right label is taken.

    Args:
        predicted: Boxes of one frame.
        truth: Objects of the same frame.
        threshold: The least IoU that counts as located.

    Returns:
        Pairs of an index into ``predicted`` and one into ``truth``, sorted by the latter.
    """
    overlap = box_iou(predicted, truth)
    fits = overlap >= threshold
    # The 1 for every fitting pair outweighs any sum of IoUs that a smaller number of pairs could reach.
    gain = fits * (1.0 + (overlap + SAME_LABEL_BONUS * _same_label(predicted, truth)) / (max(overlap.shape) + 1))
    return sorted((pair for pair in _assignment(gain) if fits[pair]), key=lambda pair: pair[1])


def _same_label(predicted: Sequence[SeenObject], truth: Sequence[SeenObject]) -> NDArray[np.bool_]:
    table = [[one.label == other.label for other in truth] for one in predicted]
    return np.array(table, dtype=np.bool_).reshape(len(predicted), len(truth))


def _assignment(gain: NDArray[np.float64]) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
