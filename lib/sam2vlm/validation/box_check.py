"""``bounding_box_check``: is every box inside its frame, has it a size, and does it agree with its mask?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sam2vlm.validation.object_table import ObjectTable

    Boxes = NDArray[np.float64]

__all__ = ["DEMO_DIALECT", "bounding_box_check"]

DEMO_DIALECT = "sam2-demo-1.0.0"
# Boxes are scaled from a mask's grid in floating point; a hundredth of a pixel is rounding, not a fault.
SLACK_PX = 0.01
# Exporters differ in whether a box ends on its last pixel or behind it. (The demo tool's own boxes agree exactly,
# 18 of 18 in a real export.)
ROUNDING_PX = 1.0


def bounding_box_check(dataset: Mapping[str, Any], *, warning_iou: float = 0.95, error_iou: float = 0.5) -> RuleResult:
    """Look for boxes outside of their frame, without a size, or in disagreement with their mask.

    The demo tool computes its boxes from a mask read in the wrong order: they are the transposed boxes, on the
    256 x 256 grid. There the file's own box is no measure of the mask but evidence for the dialect, and it is
    counted as such.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        warning_iou: The file's own box below this IoU with the mask's box is a warning.
        error_iou: And below this an error: the mask and the box are not of one coordinate space.
    """
    data = CheckedDataset.of(dataset)
    table = data.table
    findings = list(_impossible(table))
    compared = np.flatnonzero(
        table.objects["visible"] & _given(table.objects["box"]) & _given(table.objects["stored_box"])
    )
    demo = _of_demo(data)[table.objects["frame"][compared]]
    kinds = np.where(table.objects["grid_area"][compared] > 0, _on_grid(table, compared), "neither")
    kinds[np.isin(compared, list(table.broken))] = "unreadable"  # mask_integrity_check says why
    odd = demo & (kinds == "neither")
    findings += [(int(row), _neither(table, int(row))) for row in compared[odd]]
    in_frame = ~demo & ((kinds != "straight") | _same_grid(table, compared))
    kinds[in_frame] = "in the frame"
    findings += _disagreements(table, compared[in_frame], warning_iou, error_iou)
    agreement = Counter(kinds.tolist())
    return RuleResult(
        rule_id="bounding_box_check",
        severity=Severity.ERROR,
        checked=len(table.visible),
        unit="objects",
        findings=tuple(finding for _row, finding in sorted(findings, key=lambda pair: pair[0])),
        summary=_summary(len(table.visible), agreement, Counter(kinds[demo].tolist())),
        recommendation=(
            "Targets are taken from the masks, not from the file's boxes; where the two disagree, look at a few "
            "frames to see which is right, and set the dialect where the masks were read in the wrong order."
        ),
        facts={"stored_boxes": dict(sorted(agreement.items()))},
    )


def _given(boxes: Boxes) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(boxes).all(axis=1))


def _of_demo(data: CheckedDataset) -> NDArray[np.bool_]:
    """Tell which frames' masks are in the demo tool's dialect."""
    named = (data.videos.get(video_id, data.metadata) for video_id in data.table.videos)
    demo = np.array([told is not None and told.dialect == DEMO_DIALECT for told in named], bool)
    return np.asarray(demo[data.table.frames["video"]], bool)


def _impossible(table: ObjectTable) -> Iterator[tuple[int, Finding]]:
    """Yield the objects whose box cannot be, by row."""
    objects = table.objects
    visible, boxes = objects["visible"], objects["box"]
    frames = table.frames[objects["frame"]]
    given, finite = _given(boxes), np.isfinite(boxes).all(axis=1)
    sized = (boxes[:, 2:] > 0).all(axis=1)
    ends = np.column_stack((frames["width"], frames["height"])) - boxes[:, :2] - boxes[:, 2:]
    inside = (np.column_stack((boxes[:, :2], ends)) >= -SLACK_PX).all(axis=1)
    wrong = np.select(
        [~visible & given, ~visible, ~given, ~finite, ~sized, ~inside],
        [1, 0, 2, 3, 4, 5],
        0,
    )
    for row in np.flatnonzero(wrong).tolist():
        frame, shown = frames[row], _shown(boxes[row])
        message = (
            "has a box although it is not visible",
            "is visible but has no box",
            f"its box {shown} is not finite",
            f"its box {shown} has no size",
            f"its box {shown} leaves the frame of {frame['width']} x {frame['height']}",
        )[wrong[row] - 1]
        yield row, table.of_object(row, message, Severity.ERROR)


def _disagreements(
    table: ObjectTable, rows: NDArray[np.int64], warning_iou: float, error_iou: float
) -> Iterator[tuple[int, Finding]]:
    stored, boxes = table.objects["stored_box"][rows], table.objects["box"][rows]
    iou = _iou(stored, boxes)
    # A box in whole pixels may end a pixel short of its mask (max - min without + 1), which is a lot for a small one.
    for number in np.flatnonzero(~(iou >= warning_iou) & ~_close(stored, boxes)):
        message = (
            f"the file's box {_shown(stored[number])} and the mask's {_shown(boxes[number])} overlap with an IoU of "
            f"{iou[number]:.2f}"
        )
        severity = Severity.ERROR if iou[number] < error_iou else Severity.WARNING
        yield int(rows[number]), table.of_object(int(rows[number]), message, severity)


def _same_grid(table: ObjectTable, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    objects = table.objects[rows]
    frames = table.frames[objects["frame"]]
    return np.asarray((frames["width"] == objects["grid_width"]) & (frames["height"] == objects["grid_height"]))


def _on_grid(table: ObjectTable, rows: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return how each stored box relates to the mask's box on the mask's own grid."""
    stored, boxes = table.objects["stored_box"][rows], table.objects["grid_box"][rows].astype(float)
    straight, transposed = _close(stored, boxes), _close(stored, boxes[:, [1, 0, 3, 2]])
    kinds = ["symmetric", "transposed", "straight"]
    return np.select([straight & transposed, transposed, straight], kinds, "neither").astype("<U12")


def _neither(table: ObjectTable, row: int) -> Finding:
    stored, box = table.objects["stored_box"][row], table.objects["grid_box"][row]
    message = f"the file's box {_shown(stored)} is neither the mask's {_shown(box)} on its grid nor the transposed one"
    return table.of_object(row, message, Severity.WARNING)


def _summary(visible: int, agreement: Counter[str], demo: Counter[str]) -> str:
    confirmed = demo["transposed"] + demo["symmetric"]
    if demo:
        says = "confirms" if 2 * confirmed > demo.total() else "does not confirm"
        return (
            f"{visible} boxes, taken from the masks; the file's own box is the transposed one for {confirmed} of "
            f"{demo.total()}, which {says} the dialect {DEMO_DIALECT}"
        )
    return f"{visible} boxes, taken from the masks; {agreement.total()} compared with the file's own"


def _iou(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Return intersection over union of pairs of boxes ``(x, y, w, h)``; 0 where neither has an area."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=1)
    union = first[:, 2:].prod(axis=1) + second[:, 2:].prod(axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(shared)), where=union > 0))


def _close(first: Boxes, second: Boxes) -> NDArray[np.bool_]:
    return np.asarray((np.abs(first - second) <= ROUNDING_PX + SLACK_PX).all(axis=1))


def _shown(box: Sequence[float] | NDArray[Any]) -> str:
    return "[" + ", ".join(f"{side:.1f}" for side in box) + "]"
