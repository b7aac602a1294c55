"""``class_balance_analysis``: how often each label occurs, and by how much the commonest leads the rarest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.validation.object_table import ObjectTable

__all__ = ["BalanceAnalyzer"]

_RARE = (
    "Add frames with the rare labels, or leave out a part of those with the commonest; where that cannot be done, read "
    "the scores label by label."
)
_UNNAMED = (
    "Name the objects and export again; what a dialect without labels (SA-V, automatic masks, palette PNGs) shows is "
    "called what archive.default_label says."
)


class BalanceAnalyzer:
    """Counts visible objects by label.

    Args:
        imbalance_threshold: Commonest over rarest label from which the imbalance is called severe.
        moderate_threshold: From which it is called moderate; never above ``imbalance_threshold``.

    Raises:
        ValueError: A threshold below 1, which every dataset would reach.
    """

    def __init__(self, imbalance_threshold: float = 10.0, *, moderate_threshold: float = 5.0) -> None:
        if min(imbalance_threshold, moderate_threshold) < 1:
            raise ValueError(
                f"a ratio of largest to smallest is at least 1: {imbalance_threshold}, {moderate_threshold}"
            )
        self.imbalance_threshold = imbalance_threshold
        self.moderate_threshold = min(moderate_threshold, imbalance_threshold)

    def check(self, dataset: Mapping[str, Any]) -> RuleResult:
        """Run the rule ``class_balance_analysis``.

        Args:
            dataset: ``{"frames": ..., "metadata": ...}``.
        """
        table = CheckedDataset.of(dataset).table
        distribution = _distribution(table)
        visible = len(table.visible)
        unlabelled = visible - sum(row["objects"] for row in distribution.values())
        ratio = _ratio(distribution)
        return RuleResult(
            rule_id="class_balance_analysis",
            severity=Severity.ERROR if not distribution else Severity.WARNING,
            checked=visible,
            unit="objects",
            findings=tuple(self._findings(distribution, unlabelled, ratio)),
            summary=_summary(distribution, ratio),
            recommendation=_RARE if distribution else _UNNAMED,
            facts={"labels": distribution, "ratio": round(ratio, 4), "unlabelled": unlabelled},
        )

    def _findings(self, distribution: Mapping[str, Any], unlabelled: int, ratio: float) -> Iterator[Finding]:
        if not distribution:
            yield Finding("no visible object has a label", Severity.ERROR)
            return
        if unlabelled:
            yield Finding(f"{unlabelled} visible objects have no label", Severity.WARNING)
        if ratio >= self.moderate_threshold:
            severe = ratio >= self.imbalance_threshold
            common, rare = next(iter(distribution)), list(distribution)[-1]
            yield Finding(
                f"{'severe' if severe else 'moderate'} imbalance: {distribution[common]['objects']} {common} to "
                f"{distribution[rare]['objects']} {rare}, {ratio:.1f}:1 (moderate from {self.moderate_threshold:g}:1, "
                f"severe from {self.imbalance_threshold:g}:1)",
                Severity.WARNING,
                label=rare,
            )


def _distribution(table: ObjectTable) -> dict[str, dict[str, int]]:
    """Return objects, frames and tracks by label, the commonest label first."""
    counts = {}
    for label, rows in table.by_label():
        objects = table.objects[rows]
        tracks = np.column_stack((table.frames["video"][objects["frame"]], objects["object_id"]))
        # Labels that differ by a blank stay apart: the dataset has them so, and the report shall show it.
        if label.strip():
            counts[label] = {
                "objects": len(rows),
                "frames": len(np.unique(objects["frame"])),
                "tracks": len(np.unique(tracks, axis=0)),
            }
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1]["objects"], pair[0])))


def _ratio(distribution: Mapping[str, Mapping[str, int]]) -> float:
    counts = [row["objects"] for row in distribution.values()]
    return max(counts) / min(counts) if counts else 0.0


def _summary(distribution: Mapping[str, Any], ratio: float) -> str:
    if not distribution:
        return "no labels"
    labels = f"{len(distribution)} label{'s' if len(distribution) > 1 else ''}"
    return f"{labels}, the commonest {ratio:.1f} times as frequent as the rarest"
