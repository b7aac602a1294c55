"""``mask_integrity_check``: is every mask whole, not empty, and as large as the file says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sam2vlm.validation.object_table import ObjectTable

__all__ = ["mask_integrity_check"]


def mask_integrity_check(dataset: Mapping[str, Any], *, max_area_difference_percent: float = 1.0) -> RuleResult:
    """Look for masks that are broken, empty, or of another area than the file tells.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        max_area_difference_percent: The file's own area may differ from the mask's by this share of it before it
            is a warning. Where a mask's grid is coarser than the frame, an area in pixels of either is right; the
            demo tool's are in pixels of its 256 x 256 grid.
    """
    table = CheckedDataset.of(dataset).table
    objects = table.objects
    whole = objects["visible"] & (objects["grid_area"] > 0)
    compared = np.flatnonzero(whole & ~np.isnan(objects["stored_area"]))
    broken = np.flatnonzero(objects["visible"] & ~whole)
    lost = np.flatnonzero(~objects["visible"] & _has_size(table))
    different = compared[_area_differs(table, compared, max_area_difference_percent)]
    absent = len(objects) - len(table.visible)
    findings = {int(row): _broken(table, int(row)) for row in broken}
    findings |= {int(row): _lost(table, int(row)) for row in lost}
    findings |= {int(row): _other_area(table, int(row)) for row in different}
    errors = len(broken) + len(lost)
    return RuleResult(
        rule_id="mask_integrity_check",
        severity=Severity.ERROR,
        checked=len(objects),
        unit="objects",
        findings=tuple(findings[row] for row in sorted(findings)),
        summary=(
            f"{errors} of {len(objects)} masks are broken; {absent} are empty because the object is not visible; "
            f"{len(compared)} areas compared with the file's own"
        ),
        recommendation="Segment these objects again, or leave them out of the export.",
        facts={"broken": errors, "not_visible": absent, "areas_compared": len(compared)},
    )


def _broken(table: ObjectTable, row: int) -> Finding:
    fault = table.broken.get(row)
    message = "its mask is empty although it counts as visible" if fault is None else f"its mask is broken: {fault}"
    return table.of_object(row, message, Severity.ERROR)


def _has_size(table: ObjectTable) -> NDArray[np.bool_]:
    """Tell whose file entry has an area or a box: an absent object has a box of zeros, else its mask was lost."""
    objects = table.objects
    return np.asarray((objects["stored_area"] > 0) | (objects["stored_box"][:, 2:] > 0).all(axis=1))


def _lost(table: ObjectTable, row: int) -> Finding:
    box, area = table.objects["stored_box"][row], table.objects["stored_area"][row]
    told = [
        *([] if np.isnan(box).all() else [f"box {tuple(box.tolist())}"]),
        *([] if np.isnan(area) else [f"area {area}"]),
    ]
    return table.of_object(row, f"its mask is empty although the file gives {' and '.join(told)}", Severity.ERROR)


def _area_differs(table: ObjectTable, rows: NDArray[np.int64], max_percent: float) -> NDArray[np.bool_]:
    objects = table.objects[rows]
    areas = np.column_stack((objects["area"], objects["grid_area"]))
    # One pixel is always allowed: on a mask of 50 pixels it is 2 %.
    allowed = np.maximum(max_percent / 100 * areas, 1.0)
    return np.asarray((np.abs(objects["stored_area"][:, None] - areas) > allowed).all(axis=1))


def _other_area(table: ObjectTable, row: int) -> Finding:
    item = table.objects[row]
    areas = sorted({float(item["area"]), float(item["grid_area"])})
    shown = " or ".join(f"{area:.0f}" for area in areas)
    message = f"the file's area {item['stored_area']:.0f} differs from the mask's {shown}"
    return table.of_object(row, message, Severity.WARNING)
