"""``quality_metrics``: are the objects large enough to be seen, and are there enough of them?"""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sam2vlm.validation.object_table import ObjectTable

__all__ = ["QualityMetrics"]


class QualityMetrics:
    """Measures object sizes and density.

    Args:
        min_object_area_percent: An object below this share of its frame's area, in percent, is small.
        max_small_objects_percent: More small objects than this share of all, in percent, is a warning.
        min_objects_per_frame: Fewer visible objects a frame than this, on average, is a warning.
    """

    def __init__(
        self,
        min_object_area_percent: float = 0.1,
        *,
        max_small_objects_percent: float = 5.0,
        min_objects_per_frame: float = 1.0,
    ) -> None:
        self.min_object_area_percent = min_object_area_percent
        self.max_small_objects_percent = max_small_objects_percent
        self.min_objects_per_frame = min_objects_per_frame

    def check(self, dataset: Mapping[str, Any]) -> RuleResult:
        """Run the rule ``quality_metrics``.

        Every small object is an item of its own where they are too many; the sizes are in ``facts`` always.

        Args:
            dataset: ``{"frames": ..., "metadata": ...}``.
        """
        table = CheckedDataset.of(dataset).table
        rows = table.visible
        shares = 100 * table.objects["area"][rows] / table.sizes(rows)
        density = len(rows) / len(table.frames) if len(table.frames) else 0.0
        small = rows[shares < self.min_object_area_percent]
        return RuleResult(
            rule_id="quality_metrics",
            severity=Severity.WARNING,
            checked=len(rows),
            unit="objects",
            findings=tuple(self._findings(table, len(rows), small, density)),
            summary=(
                f"{density:.2f} visible objects a frame; {len(small)} of {len(rows)} below "
                f"{self.min_object_area_percent:g} % of the frame's area"
            ),
            recommendation=(
                "Small objects are hard to see at a model's resolution: choose a larger one, crop, or leave them out. "
                "Where most frames are empty, export the part of the video in which something happens."
            ),
            facts={
                "objects_per_frame": round(density, 4),
                "small_objects": len(small),
                "area_percent": _spread(shares.tolist()),
            },
        )

    def _findings(
        self, table: ObjectTable, visible: int, small: NDArray[np.int64], density: float
    ) -> Iterator[Finding]:
        if density < self.min_objects_per_frame:
            yield Finding(
                f"{density:.2f} visible objects a frame, expected at least {self.min_objects_per_frame:g}",
                Severity.WARNING,
            )
        if 100 * len(small) <= self.max_small_objects_percent * visible:
            return
        yield Finding(
            f"{100 * len(small) / visible:.1f} % of the objects are small, expected at most "
            f"{self.max_small_objects_percent:g} %",
            Severity.WARNING,
        )
        areas = table.objects["area"][small]
        for row, area, size in zip(small.tolist(), areas, table.sizes(small), strict=True):
            message = f"covers {100 * area / size:.3f} % of the frame ({area:.0f} pixels)"
            yield table.of_object(row, message, Severity.WARNING)


def _spread(shares: list[float]) -> dict[str, float]:
    if not shares:
        return {}
    figures = {"smallest": min(shares), "median": median(shares), "mean": fmean(shares), "largest": max(shares)}
    return {name: round(value, 4) for name, value in figures.items()}
