"""One direction of a picture between frame pixels and the numbers of a text."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Axis"]


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a frame's pixels lie on a text's scale.

    Attributes:
        size: Of the frame in pixels.
        steps: The number that stands for the far edge of ``length``.
        last: The largest number that is written; one below ``steps`` where there is no token for that.
        length: Of the padded picture in frame pixels; ``size`` where nothing is padded.
        before: Pixels of padding before the frame.
        floors: A number stands for a whole bin and is read as its middle; otherwise for the nearest mark.
    """

    size: int
    steps: float
    last: float
    length: int
    before: int = 0
    floors: bool = False

    @property
    def resolution(self) -> float:
        """How far a written and read edge is off at most, in frame pixels."""
        bin_pixels = self.length / self.steps
        return bin_pixels / 2 if self.floors or self.last >= self.steps else bin_pixels

    def units(self, pixel: float) -> float:
        """Return a pixel's place on the scale, not rounded and not clipped."""
        return (pixel + self.before) / self.length * self.steps

    def number(self, pixel: float) -> int:
        """Return the whole number that is written for a pixel."""
        units = self.units(pixel)
        return int(min(max(math.floor(units) if self.floors else round(units), 0), self.last))

    def pixel(self, number: float) -> float:
        """Return the frame pixel that a written number stands for, inside of the frame."""
        middle = number + 0.5 if self.floors else number
        return min(max(middle / self.steps * self.length - self.before, 0.0), float(self.size))
