"""Where things lie along a chart: positions of a video on its time axis, round numbers for the ticks."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.validation.html_report.survey import Video

__all__ = ["Axis", "Span", "Tick", "percent", "time_axis"]

#: A frame further away than this many usual steps has frames missing before it.
GAP_STEPS = 1.5
_ROUND = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an axis, in percent of its length.

    Attributes:
        start: Where it begins.
        width: How long it is.
    """

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A number beside an axis, at a percentage of its length."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of one video.

    Attributes:
        starts: Where each position's frame begins, in the axis's unit.
        ends: Where it ends: the next frame's beginning, or a usual step later where frames are missing.
        breaks: Positions behind which frames are missing, growing.
        unit: ``s``, or ``frame`` where the timestamps do not grow.
    """

    starts: Sequence[float]
    ends: Sequence[float]
    breaks: Sequence[int]
    unit: str

    @property
    def length(self) -> float:
        """From the first frame's beginning to the last one's end."""
        return self.ends[-1] - self.starts[0] or 1.0

    def at(self, position: int) -> float:
        """Return where a frame's middle lies, in percent."""
        middle = (self.starts[position] + self.ends[position]) / 2
        return percent((middle - self.starts[0]) / self.length)

    def spans(self, first: int, last: int, *, least: float = 0.0) -> list[Span]:
        """Return the stretches of a run of positions, broken where frames are missing.

        Args:
            first: Its first position.
            last: Its last.
            least: Shown at least this wide, in percent, so that a single frame of a long video can be seen.
        """
        borders = [first, *(place + 1 for place in self._breaks_between(first, last))]
        ends = [border - 1 for border in borders[1:]] + [last]
        return [self._span(*piece, least) for piece in zip(borders, ends, strict=True)]

    def _breaks_between(self, first: int, last: int) -> Sequence[int]:
        return self.breaks[bisect_left(self.breaks, first) : bisect_left(self.breaks, last)]

    def _span(self, first: int, last: int, least: float) -> Span:
        start = percent((self.starts[first] - self.starts[0]) / self.length)
        shown = max(percent((self.ends[last] - self.starts[first]) / self.length), least)
        return Span(min(start, 100 - shown), shown)

    def told(self, first: int, last: int) -> str:
        """Return a run of positions in words."""
        begin, end = self.starts[first], self.starts[last]
        if self.unit == "s":
            return f"{begin:.2f} s" if first == last else f"{begin:.2f} to {end:.2f} s"
        return f"frame {begin:.0f}" if first == last else f"frames {begin:.0f} to {end:.0f}"

    def ticks(self, wanted: int = 6) -> list[Tick]:
        """Return round numbers along the axis."""
        step = _round_step(self.length / wanted)
        first = math.ceil(self.starts[0] / step - 1e-9)
        values = [count * step for count in range(first, first + 2 * wanted)]
        shown = [value for value in values if value <= self.ends[-1]]
        unit = " s" if self.unit == "s" else ""
        return [Tick(percent((value - self.starts[0]) / self.length), f"{value:g}{unit}") for value in shown]


def time_axis(video: Video) -> Axis:
    """Return a video's axis: seconds where its timestamps grow, else frame numbers, else the order of its frames."""
    candidates = ((video.times, "s"), (video.indices, "frame"))
    for values, unit in candidates:
        steps = [after - before for before, after in pairwise(values)]
        if steps and min(steps) > 0:
            return _axis(values, median(steps), unit)
    return _axis(range(len(video.indices)), 1.0, "frame")


def percent(share: float) -> float:
    """Return a share in percent, rounded so that the page has the same digits on every machine."""
    return round(100 * share, 3)


def _axis(values: Sequence[float], step: float, unit: str) -> Axis:
    ends = [min(after, before + GAP_STEPS * step) for before, after in pairwise(values)]
    breaks = [at for at, (before, after) in enumerate(pairwise(values)) if after - before > GAP_STEPS * step]
    for place in breaks:
        ends[place] = values[place] + step
    return Axis(values, [*ends, values[-1] + step], breaks, unit)


def _round_step(raw: float) -> float:
    power = 10 ** math.floor(math.log10(raw))
    return float(next(factor * power for factor in _ROUND if factor * power >= raw - 1e-9 * power))
