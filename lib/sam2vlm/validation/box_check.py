"""``bounding_box_check``: is every box inside its frame, has it a size, and does it agree with its mask?"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.annotations.runs import runs_box
from sam2vlm.errors import DataError
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.annotations.types import Box, Frame, Mask, ObjectAnnotation

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
    demo = data.metadata is not None and data.metadata.dialect == DEMO_DIALECT
    findings: list[Finding] = []
    agreement: Counter[str] = Counter()
    for frame, item in data.objects():
        findings += (Finding.of_object(frame, item, *fault) for fault in _faults(frame, item))
        if item.mask is None or item.bbox is None or item.stored_bbox is None:
            continue
        kind = _on_grid(item.mask, item.stored_bbox)
        if demo and kind == "neither":
            findings.append(_neither(frame, item, item.mask, item.stored_bbox))
        elif not demo and (kind != "straight" or _same_grid(frame, item.mask)):
            kind = "in the frame"
            findings += _disagreement(frame, item, item.bbox, item.stored_bbox, (warning_iou, error_iou))
        agreement[kind] += 1
    return RuleResult(
        rule_id="bounding_box_check",
        severity=Severity.ERROR,
        checked=sum(len(frame.visible_objects) for frame in data.frames),
        unit="objects",
        findings=tuple(findings),
        summary=_summary(data, agreement, demo=demo),
        recommendation=(
            "Targets are taken from the masks, not from the file's boxes; where the two disagree, look at a few "
            "frames to see which is right, and set the dialect where the masks were read in the wrong order."
        ),
        facts={"stored_boxes": dict(sorted(agreement.items()))},
    )


def _faults(frame: Frame, item: ObjectAnnotation) -> Iterator[tuple[str, Severity]]:
    if item.mask is None:
        if item.bbox is not None:
            yield "has a box although it is not visible", Severity.ERROR
        return
    if item.bbox is None:
        yield "is visible but has no box", Severity.ERROR
        return
    x, y, w, h = item.bbox
    if not all(math.isfinite(side) for side in item.bbox):
        yield f"its box {_shown(item.bbox)} is not finite", Severity.ERROR
    elif w <= 0 or h <= 0:
        yield f"its box {_shown(item.bbox)} has no size", Severity.ERROR
    elif min(x, y, frame.width - x - w, frame.height - y - h) < -SLACK_PX:
        yield f"its box {_shown(item.bbox)} leaves the frame of {frame.width} x {frame.height}", Severity.ERROR


def _disagreement(
    frame: Frame, item: ObjectAnnotation, bbox: Box, stored: Box, limits: tuple[float, float]
) -> Iterator[Finding]:
    iou = _iou(stored, bbox)
    warning_iou, error_iou = limits
    # A box in whole pixels may end a pixel short of its mask (max - min without + 1), which is a lot for a small one.
    if iou >= warning_iou or _close(stored, bbox):
        return
    severity = Severity.ERROR if iou < error_iou else Severity.WARNING
    message = f"the file's box {_shown(stored)} and the mask's {_shown(bbox)} overlap with an IoU of {iou:.2f}"
    yield Finding.of_object(frame, item, message, severity)


def _same_grid(frame: Frame, mask: Mask) -> bool:
    return (frame.width, frame.height) == (mask.width, mask.height)


def _on_grid(mask: Mask, stored: Box) -> str:
    """Return how a stored box relates to the mask's box on the mask's own grid."""
    try:
        box = runs_box(runs_from_counts(mask.counts), mask.height, mask.width, "F")
    except DataError:
        return "unreadable"  # mask_integrity_check says why
    if box is None:
        return "neither"
    x, y, w, h = box
    transposed = _close(stored, (y, x, h, w))
    straight = _close(stored, (x, y, w, h))
    if transposed and straight:
        return "symmetric"
    if transposed:
        return "transposed"
    return "straight" if straight else "neither"


def _neither(frame: Frame, item: ObjectAnnotation, mask: Mask, stored: Box) -> Finding:
    box = runs_box(runs_from_counts(mask.counts), mask.height, mask.width, "F") or (0, 0, 0, 0)
    message = f"the file's box {_shown(stored)} is neither the mask's {_shown(box)} on its grid nor the transposed one"
    return Finding.of_object(frame, item, message, Severity.WARNING)


def _summary(data: CheckedDataset, agreement: Counter[str], *, demo: bool) -> str:
    total = sum(agreement.values())
    visible = sum(len(frame.visible_objects) for frame in data.frames)
    if demo and total:
        confirmed = agreement["transposed"] + agreement["symmetric"]
        says = "confirms" if 2 * confirmed > total else "does not confirm"
        return (
            f"{visible} boxes, taken from the masks; the file's own box is the transposed one for {confirmed} of "
            f"{total}, which {says} the dialect {DEMO_DIALECT}"
        )
    return f"{visible} boxes, taken from the masks; {total} compared with the file's own"


def _iou(first: Box, second: Box) -> float:
    """Return intersection over union of two boxes ``(x, y, w, h)``; 0 where neither has an area."""
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    down = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(across, 0.0) * max(down, 0.0)
    union = first[2] * first[3] + second[2] * second[3] - shared
    return shared / union if union > 0 else 0.0


def _close(first: Box, second: Box) -> bool:
    return all(abs(a - b) <= ROUNDING_PX + SLACK_PX for a, b in zip(first, second, strict=True))


def _shown(box: Box) -> str:
    return "[" + ", ".join(f"{side:.1f}" for side in box) + "]"
