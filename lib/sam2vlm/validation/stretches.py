"""Many masks at once as stretches of columns: areas, boxes, components and overlaps without a pixel.

A stretch is an unbroken run of ones inside one column. Decoding a mask of 854 x 480 to pixels costs 0.2 ms and more;
its 100 to 200 stretches are measured together with those of a few hundred other masks by the same few array
operations, which comes to some 10 microseconds a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sam2vlm.annotations.runs import Runs

    Integers = NDArray[np.int64]

__all__ = ["Stretches"]


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretches of some masks, by mask, column and row.

    Attributes:
        masks: How many masks there are; some may have no stretch.
        owner: Each stretch's mask, int64 of shape (stretches,), ascending.
        column: Its column on that mask's grid.
        first: Its first row.
        end: The row behind its last one.
        height: The tallest grid's rows.
        width: The widest grid's columns.
    """

    masks: int
    owner: Integers
    column: Integers
    first: Integers
    end: Integers
    height: int
    width: int

    @classmethod
    def of(cls, runs: Sequence[Runs], sizes: Sequence[tuple[int, int]]) -> Stretches:
        """Take masks apart.

        Args:
            runs: Of each mask, column-major and canonical, adding up to its grid.
            sizes: Height and width of each mask's grid.
        """
        lengths = np.array([one.size for one in runs], np.int64)
        return cls.of_flat(np.concatenate([*runs, np.zeros(0, np.int64)]), lengths, sizes)

    @classmethod
    def of_flat(cls, flat: Runs, lengths: Integers, sizes: Sequence[tuple[int, int]]) -> Stretches:
        """Take masks apart whose runs lie one behind the other.

        Args:
            flat: The runs of all masks.
            lengths: How many each mask has.
            sizes: Height and width of each mask's grid.
        """
        tallest, widest = (max((size[side] for size in sizes), default=1) for side in (0, 1))
        owner = np.repeat(np.arange(len(lengths)), lengths)
        behind = np.cumsum(lengths)
        place = np.arange(flat.size) - (behind - lengths)[owner]
        grid = np.array([height * width for height, width in sizes], np.int64)
        # Every mask's runs add up to its grid, so the sum of the grids before it is where it begins.
        ends = np.cumsum(flat) - (np.cumsum(grid) - grid)[owner]
        ones = (place % 2 == 1) & (flat > 0)
        owner, ends, sums = owner[ones], ends[ones], flat[ones]
        heights = np.array([size[0] for size in sizes], np.int64)[owner]
        return cls(len(lengths), *_by_column(owner, ends - sums, ends, heights), tallest, widest)

    @property
    def areas(self) -> Integers:
        """Ones of each mask, shape (masks,)."""
        return self._sums(self.end - self.first)

    @property
    def boxes(self) -> Integers:
        """The smallest box ``(x, y, w, h)`` around each mask in grid pixels, shape (masks, 4); zeros where empty."""
        found = np.zeros((self.masks, 4), np.int64)
        there, begins = self._groups()
        if there.size:
            last = np.append(begins[1:], self.owner.size) - 1
            x, y = self.column[begins], np.minimum.reduceat(self.first, begins)
            w, h = self.column[last] - x + 1, np.maximum.reduceat(self.end, begins) - y
            found[there] = np.column_stack((x, y, w, h))
        return found

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Mean x and y of each mask's pixels, shape (masks, 2); NaN where empty."""
        lengths = self.end - self.first
        areas = self._sums(lengths).astype(float)
        areas[areas == 0] = np.nan
        x = self._sums(lengths * self.column) / areas
        y = self._sums(lengths * (self.first + self.end - 1)) / 2 / areas
        return np.column_stack((x, y))

    def largest_components(self) -> Integers:
        """Return the pixels of each mask's largest 8-connected component, shape (masks,)."""
        root = _joined(self.owner.size, *self._touching())
        sizes = np.bincount(root, self.end - self.first, self.owner.size).astype(np.int64)
        largest = np.zeros(self.masks, np.int64)
        np.maximum.at(largest, self.owner, sizes[root])
        return largest

    def intersections(self, one: Integers, other: Integers, shift: Integers | None = None) -> Integers:
        """Return how many pixels pairs of masks share.

        Args:
            one: Number of each pair's first mask, shape (pairs,).
            other: Number of its second; both on grids of one size.
            shift: By how many columns and rows the first is moved before, shape (pairs, 2), within the grid's size;
                what leaves the grid still counts. None moves nothing.
        """
        counts = np.bincount(self.owner, minlength=self.masks)
        begins = np.cumsum(counts) - counts
        pair = np.repeat(np.arange(one.size), counts[one])
        number = np.arange(pair.size) - (np.cumsum(counts[one]) - counts[one])[pair]
        taken = begins[one][pair] + number
        moved = np.zeros((one.size, 2), np.int64) if shift is None else shift
        line = self._line(other[pair], self.column[taken] + moved[pair, 0])
        rows = moved[pair, 1]
        before, behind = self._ones_before(line + rows + np.stack((self.first[taken], self.end[taken])))
        return np.bincount(pair, behind - before, one.size).astype(np.int64)

    def _line(self, mask: Integers, column: Integers) -> Integers:
        """Return where a column's row 0 lies on one long line, with a grid's room around every grid for shifts."""
        tall, wide = 3 * self.height + 1, 3 * self.width + 1
        return (mask * wide + column + self.width) * tall + self.height

    def _ones_before(self, position: Integers) -> NDArray[np.float64]:
        line = self._line(self.owner, self.column)
        edges = np.column_stack((line + self.first, line + self.end)).ravel()
        behind = np.cumsum(self.end - self.first)
        ones = np.column_stack((behind - (self.end - self.first), behind)).ravel()
        # Whole numbers below 2**53 all along, so this is exact.
        return np.interp(position, edges, ones) if edges.size else np.zeros(position.shape)

    def _touching(self) -> tuple[Integers, Integers]:
        """Return all pairs of stretches in neighbouring columns that touch, diagonally too."""
        tall = self.height + 2
        line = (self.owner * (self.width + 1) + self.column) * tall
        nearest = np.searchsorted(line + self.end, line + tall + self.first, side="left")
        behind = np.searchsorted(line + self.first, line + tall + self.end, side="right")
        counts = np.maximum(behind - nearest, 0)
        left = np.repeat(np.arange(counts.size), counts)
        return left, nearest[left] + np.arange(left.size) - (np.cumsum(counts) - counts)[left]

    def _sums(self, values: Integers) -> Integers:
        return np.bincount(self.owner, values, self.masks).astype(np.int64)

    def _groups(self) -> tuple[Integers, Integers]:
        """Return the masks that have a stretch, and where the first of each is."""
        begins = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return self.owner[begins], begins


def _by_column(
    owner: Integers, start: Integers, end: Integers, height: Integers
) -> tuple[Integers, Integers, Integers, Integers]:
    """Cut what goes on into the next column."""
    column = start // height
    counts = (end - 1) // height - column + 1
    piece = np.repeat(np.arange(counts.size), counts)
    number = np.arange(piece.size) - (np.cumsum(counts) - counts)[piece]
    column = column[piece] + number
    top, rows = column * height[piece], height[piece]
    return owner[piece], column, np.maximum(start[piece] - top, 0), np.minimum(end[piece] - top, rows)


def _joined(size: int, left: Integers, right: Integers) -> Integers:
    """Return each item's root after joining pairs: the smallest number that it hangs together with."""
    root = np.arange(size)
    while True:
        one, other = root[left], root[right]
        apart = one != other
        if not apart.any():
            return root
        np.minimum.at(root, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while ((above := root[root]) != root).any():
            root = above
