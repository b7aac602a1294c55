"""Masks against masks: within one frame, and of one frame against the frame before."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sam2vlm.validation.stretches import Stretches

    Integers = NDArray[np.int64]

__all__ = ["Crossing", "Measured", "Overlap", "Transitions", "compare_neighbours", "compare_within"]


class Overlap(NamedTuple):
    """Two objects of one frame that share pixels.

    Attributes:
        first: Row of the one that comes first.
        second: Row of the other.
        iou: Of their masks.
    """

    first: int
    second: int
    iou: float


class Crossing(NamedTuple):
    """Two objects in two neighbouring frames, one of which lies in the first where the other lies in the second.

    Attributes:
        first: Row of the one that comes first in the later frame.
        second: Row of the other in the later frame.
        straight: IoU of the one with itself plus IoU of the other with itself.
        crossed: IoU of the one before with the other now, plus the same the other way round.
    """

    first: int
    second: int
    straight: float
    crossed: float


class Transitions(NamedTuple):
    """What one frame has become in the next.

    Attributes:
        crossings: Pairs of objects that fit each other's places in the frame before better than their own.
        before: Each mask's row in the frame before, shape (masks,); -1 where it is not visible in both.
        aligned: IoU of each mask with its own in the frame before after their centroids were aligned, shape
            (masks,); NaN where there is none on a grid of that size.
    """

    crossings: list[Crossing]
    before: Integers
    aligned: NDArray[np.float64]


class Measured(NamedTuple):
    """The masks of some frames, with what is known of each.

    Attributes:
        stretches: The masks.
        area: Pixels of each, shape (masks,).
        box: ``(x, y, w, h)`` of each on its grid, shape (masks, 4).
        size: Height and width of each one's grid, shape (masks, 2).
        identity: The object_id of each, shape (masks,).
    """

    stretches: Stretches
    area: Integers
    box: Integers
    size: Integers
    identity: Integers

    def iou(self, one: Integers, other: Integers, shift: Integers | None = None) -> NDArray[np.float64]:
        """Return the IoU of pairs of masks, the first moved by ``shift`` (columns, rows); 0 where both are empty."""
        shared = self.stretches.intersections(one, other, shift)
        union = self.area[one] + self.area[other] - shared
        return np.asarray(np.divide(shared, union, out=np.zeros(one.size), where=union > 0))

    def near(self, one: Integers, other: Integers) -> NDArray[np.bool_]:
        """Tell which pairs have boxes that overlap, on grids of one size; only they can share a pixel."""
        first, second = self.box[one], self.box[other]
        low = np.maximum(first[:, :2], second[:, :2])
        high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
        return np.asarray((high > low).all(axis=1) & (self.size[one] == self.size[other]).all(axis=1))


def compare_within(masks: Measured, frames: Sequence[Integers], base: int) -> Iterator[Overlap]:
    """Yield the pairs of each frame's masks that share pixels.

    Args:
        masks: Of all frames.
        frames: The numbers of each frame's masks.
        base: The row of mask 0.
    """
    pairs = [_pairs(frame) for frame in frames]
    one, other = (_together([pair[side] for pair in pairs]) for side in (0, 1))
    near = masks.near(one, other)
    one, other = one[near], other[near]
    iou = masks.iou(one, other)
    for pair in np.flatnonzero(iou > 0):
        yield Overlap(base + int(one[pair]), base + int(other[pair]), float(iou[pair]))


def compare_neighbours(masks: Measured, neighbours: Sequence[tuple[Integers, Integers]], base: int) -> Transitions:
    """Compare each frame's masks with those of the frame before.

    Args:
        masks: Of all frames.
        neighbours: The numbers of the masks of two frames that follow each other, the earlier one's first.
        base: The row of mask 0.
    """
    known = [_shared(masks, *pair) for pair in neighbours]
    before, now = (_together([pair[side] for pair in known]) for side in (0, 1))
    row = np.full(masks.area.size, -1, np.int64)
    row[now] = base + before
    one_grid = (masks.size[before] == masks.size[now]).all(axis=1)
    before, now = before[one_grid], now[one_grid]
    centroids = masks.stretches.centroids
    aligned = np.full(masks.area.size, np.nan)
    aligned[now] = masks.iou(before, now, np.rint(centroids[now] - centroids[before]).astype(np.int64))
    return Transitions(list(_crossings(masks, known, base)), row, aligned)


def _crossings(masks: Measured, known: Sequence[tuple[Integers, Integers]], base: int) -> Iterator[Crossing]:
    quads = [_quads(before, now) for before, now in known]
    a_before, b_before, a_now, b_now = (_together([quad[side] for quad in quads]) for side in range(4))
    near = masks.near(a_before, b_now) | masks.near(b_before, a_now)
    a_before, b_before, a_now, b_now = (side[near] for side in (a_before, b_before, a_now, b_now))
    sizes = [masks.size[side] for side in (a_before, b_before, a_now, b_now)]
    one_grid = np.logical_and.reduce([(size == sizes[0]).all(axis=1) for size in sizes])
    a_before, b_before, a_now, b_now = (side[one_grid] for side in (a_before, b_before, a_now, b_now))
    crossed = masks.iou(a_before, b_now) + masks.iou(b_before, a_now)
    straight = masks.iou(a_before, a_now) + masks.iou(b_before, b_now)
    for pair in np.flatnonzero(crossed > straight):
        yield Crossing(base + int(a_now[pair]), base + int(b_now[pair]), float(straight[pair]), float(crossed[pair]))


def _shared(masks: Measured, before: Integers, now: Integers) -> tuple[Integers, Integers]:
    """Return the masks of those objects that can be seen in both frames, in the later one's order."""
    before, now = before[masks.area[before] > 0], now[masks.area[now] > 0]
    known = dict(zip(masks.identity[before].tolist(), before.tolist(), strict=True))
    pairs = [
        (known[object_id], number)
        for object_id, number in zip(masks.identity[now].tolist(), now.tolist(), strict=True)
        if object_id in known
    ]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _pairs(numbers: Integers) -> tuple[Integers, Integers]:
    one, other = _every_pair(numbers.size)
    return numbers[one], numbers[other]


def _quads(before: Integers, now: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    one, other = _every_pair(now.size)
    return before[one], before[other], now[one], now[other]


# Frames have a few objects, and making the numbers of three pairs costs more than measuring them.
@functools.lru_cache(maxsize=64)
def _every_pair(count: int) -> tuple[Integers, Integers]:
    one, other = np.triu_indices(count, 1)
    return one, other


def _together(parts: list[Integers]) -> Integers:
    return np.concatenate([*parts, np.zeros(0, np.int64)])
