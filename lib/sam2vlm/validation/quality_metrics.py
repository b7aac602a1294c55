"""``quality_metrics``: are the objects large enough to be seen, and are there enough of them?"""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        data = CheckedDataset.of(dataset)
        shares = [100 * item.area / (frame.width * frame.height) for frame, item, _mask in data.visible_objects()]
        density = len(shares) / len(data.frames) if data.frames else 0.0
        small = sum(share < self.min_object_area_percent for share in shares)
        return RuleResult(
            rule_id="quality_metrics",
            severity=Severity.WARNING,
            checked=len(shares),
            unit="objects",
            findings=tuple(self._findings(data, shares, small, density)),
            summary=(
                f"{density:.2f} visible objects a frame; {small} of {len(shares)} below "
                f"{self.min_object_area_percent:g} % of the frame's area"
            ),
            recommendation=(
                "Small objects are hard to see at a model's resolution: choose a larger one, crop, or leave them out. "
                "Where most frames are empty, export the part of the video in which something happens."
            ),
            facts={
                "objects_per_frame": round(density, 4),
                "small_objects": small,
                "area_percent": _spread(shares),
            },
        )

    def _findings(self, data: CheckedDataset, shares: list[float], small: int, density: float) -> Iterator[Finding]:
        if density < self.min_objects_per_frame:
            yield Finding(
                f"{density:.2f} visible objects a frame, expected at least {self.min_objects_per_frame:g}",
                Severity.WARNING,
            )
        if not shares or 100 * small <= self.max_small_objects_percent * len(shares):
            return
        yield Finding(
            f"{100 * small / len(shares):.1f} % of the objects are small, expected at most "
            f"{self.max_small_objects_percent:g} %",
            Severity.WARNING,
        )
        for (frame, item, _mask), share in zip(data.visible_objects(), shares, strict=True):
            if share < self.min_object_area_percent:
                message = f"covers {share:.3f} % of the frame ({item.area:.0f} pixels)"
                yield Finding.of_object(frame, item, message, Severity.WARNING)


def _spread(shares: list[float]) -> dict[str, float]:
    if not shares:
        return {}
    figures = {"smallest": min(shares), "median": median(shares), "mean": fmean(shares), "largest": max(shares)}
    return {name: round(value, 4) for name, value in figures.items()}
