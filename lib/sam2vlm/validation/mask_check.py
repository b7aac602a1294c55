"""``mask_integrity_check``: is every mask whole, not empty, and as large as the file says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.annotations.runs import check_sum, runs_area
from sam2vlm.errors import DataError
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.annotations.types import Frame, Mask, ObjectAnnotation

__all__ = ["mask_integrity_check"]


def mask_integrity_check(dataset: Mapping[str, Any], *, max_area_difference_percent: float = 1.0) -> RuleResult:
    """Look for masks that are broken, empty, or of another area than the file tells.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_area_difference_percent: The file's own area may differ from the mask's by this share of it before it
            is a warning. Where a mask's grid is coarser than the frame, an area in pixels of either is right; the
            demo tool's are in pixels of its 256 x 256 grid.
    """
    data = CheckedDataset.of(dataset)
    findings: list[Finding] = []
    compared = absent = 0
    for frame, item in data.objects():
        if item.mask is None:
            absent += 1
            findings += _absent_with_size(frame, item)
            continue
        fault = _broken(item.mask)
        if fault is not None:
            findings.append(Finding.of_object(frame, item, fault, Severity.ERROR))
        elif item.stored_area is not None:
            compared += 1
            findings += _area_differs(frame, item, item.mask, max_area_difference_percent)
    total = sum(len(frame.objects) for frame in data.frames)
    broken = sum(finding.severity is Severity.ERROR for finding in findings)
    return RuleResult(
        rule_id="mask_integrity_check",
        severity=Severity.ERROR,
        checked=total,
        unit="objects",
        findings=tuple(findings),
        summary=(
            f"{broken} of {total} masks are broken; {absent} are empty because the object is not visible; {compared} "
            "areas compared with the file's own"
        ),
        recommendation="Segment these objects again, or leave them out of the export.",
        facts={"broken": broken, "not_visible": absent, "areas_compared": compared},
    )


def _broken(mask: Mask) -> str | None:
    try:
        runs = runs_from_counts(mask.counts)
        check_sum(runs, mask.height, mask.width)
    except DataError as error:
        return f"its mask is broken: {error}"
    return None if runs_area(runs) else "its mask is empty although it counts as visible"


def _absent_with_size(frame: Frame, item: ObjectAnnotation) -> Iterator[Finding]:
    """An absent object is stored as an empty mask with a box of zeros; with a real box its mask was lost."""
    if (item.stored_area or 0) > 0 or (item.stored_bbox is not None and min(item.stored_bbox[2:]) > 0):
        message = f"its mask is empty although the file gives box {item.stored_bbox} and area {item.stored_area}"
        yield Finding.of_object(frame, item, message, Severity.ERROR)


def _area_differs(frame: Frame, item: ObjectAnnotation, mask: Mask, max_percent: float) -> Iterator[Finding]:
    areas = {item.area, float(runs_area(runs_from_counts(mask.counts)))}
    stored = item.stored_area or 0.0
    # One pixel is always allowed: on a mask of 50 pixels it is 2 %.
    if all(abs(stored - area) > max(max_percent / 100 * area, 1.0) for area in areas):
        message = (
            f"the file's area {stored:.0f} differs from the mask's {' or '.join(f'{a:.0f}' for a in sorted(areas))}"
        )
        yield Finding.of_object(frame, item, message, Severity.WARNING)
