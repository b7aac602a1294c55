"""How large the objects are: a histogram over all, and each label's range, on one logarithmic axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.validation.html_report.axes import Tick, percent
from sam2vlm.validation.html_report.survey import SIZE_BINS, size_of_edge
from sam2vlm.validation.html_report.timeline import Bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.validation.html_report.survey import Survey

__all__ = ["SizeChart", "SizeRange", "size_chart"]

#: Labels with a range of their own: the most frequent.
MOST_LABELS = 30


@dataclass(frozen=True, slots=True)
class SizeRange:
    """One label's sizes; the shares are percent of the axis, the sizes percent of the frame's area.

    Attributes:
        label: Which.
        whole: From the smallest to the largest.
        middle: From the first to the third quartile.
        median: Where the median lies.
        told: In words.
    """

    label: str
    whole: Bar
    middle: Bar
    median: float
    told: str


@dataclass(frozen=True, slots=True)
class SizeChart:
    """All labels' sizes.

    Attributes:
        bars: Of the histogram.
        ticks: Of the axis both share.
        ranges: Of the labels.
        told: In words.
        hidden: Labels without a range.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    ranges: tuple[SizeRange, ...]
    told: str
    hidden: int


def size_chart(survey: Survey) -> SizeChart | None:
    """Return the chart, or None where no object is visible. Sizes are exact to a tenth of a power of ten."""
    sizes = survey.sizes
    used = [place for place, count in enumerate(sizes) if count]
    if not used:
        return None
    # Whole powers of ten, so that the axis ends on its ticks.
    first, last = used[0] // 10 * 10, min(-(-(used[-1] + 1) // 10) * 10, SIZE_BINS)
    width = last - first
    most = max(sizes)
    bars = [
        Bar(percent((place - first) / width), percent(1 / width), percent(sizes[place] / most))
        for place in range(first, last)
        if sizes[place]
    ]
    ticks = [Tick(percent((edge - first) / width), f"{size_of_edge(edge):g} %") for edge in range(first, last + 1, 10)]
    labels = list(survey.labels.items())
    ranges = [_range(label, row.sizes, first, width) for label, row in labels[:MOST_LABELS]]
    return SizeChart(tuple(bars), tuple(ticks), tuple(ranges), _told(sizes), max(len(labels) - MOST_LABELS, 0))


def _range(label: str, sizes: Sequence[int], first: int, width: int) -> SizeRange:
    low, quarter, half, three, high = (_quantile(sizes, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0))

    def bar(start: float, end: float) -> Bar:
        return Bar(percent((start - first) / width), percent(max(end - start, 0.2) / width), 100.0)

    return SizeRange(label, bar(low, high), bar(quarter, three), percent((half - first) / width), _told(sizes))


def _quantile(sizes: Sequence[int], share: float) -> float:
    """Return where a share of the objects is reached, as an edge of a bin; inside of a bin they lie evenly."""
    total = sum(sizes)
    used = [place for place, count in enumerate(sizes) if count]
    if share <= 0:
        return used[0]
    before = 0
    for place in used:
        if before + sizes[place] >= share * total:
            return place + (share * total - before) / sizes[place]
        before += sizes[place]
    return used[-1] + 1


def _told(sizes: Sequence[int]) -> str:
    low, half, high = (size_of_edge(_quantile(sizes, share)) for share in (0.0, 0.5, 1.0))
    return f"{_rounded(low)} to {_rounded(high)} % of the frame's area, median {_rounded(half)} %"


def _rounded(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004  two digits say what a bin can tell
