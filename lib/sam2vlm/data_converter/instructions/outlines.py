"""A mask's outline with few points, and what leaving the others out costs.

The outline runs along the pixels' edges, so that its box is the mask's own; shapely (GEOS) finds it and thins it out
after Douglas and Peucker, pycocotools draws it again to measure the cost.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.annotations.runs import decode_runs, runs_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2vlm.annotations import Mask

__all__ = ["SimpleOutline", "mask_shape", "simple_outline"]

# Ours: a mask with more outside of its largest part is not one shape.
_LARGEST_PART = 0.95
_LEAST_POINTS = 3
_HALVINGS = 6


@dataclass(frozen=True, slots=True)
class SimpleOutline:
    """A polygon in place of a mask.

    Attributes:
        points: ``(x, y)`` in pixels of the mask's grid, along the outline, not closed.
        iou: Of the polygon, drawn on the grid, with the mask; holes and left out parts cost too.
    """

    points: tuple[tuple[float, float], ...]
    iou: float

    def scaled(self, mask: Mask, width: int, height: int) -> tuple[float, ...]:
        """Return ``x1, y1, x2, y2, ...`` in pixels of a frame of this size."""
        across, down = width / mask.width, height / mask.height
        return tuple(itertools.chain.from_iterable((x * across, y * down) for x, y in self.points))


# A plan is fitted first and then written: both ask for the same outlines, which take milliseconds and kilobytes.
@functools.lru_cache(maxsize=4096)
def simple_outline(mask: Mask, *, max_points: int) -> SimpleOutline | None:
    """Return a mask's outline with at most so many points; its box is the mask's own.

    Args:
        mask: Not empty.
        max_points: At least 4.

    Returns:
        None where the mask is in parts that one outline cannot stand for, or is told by no outline so short.
    """
    import shapely

    union = mask_shape(mask)
    parts = shapely.get_parts(union)
    largest = max(parts, key=lambda part: part.area)
    if largest.area < _LARGEST_PART * union.area or largest.bounds != union.bounds:
        return None
    ring = shapely.get_coordinates(shapely.simplify(largest.exterior, 0))[:-1]
    points = _thinned(ring, max_points)
    if len(points) < _LEAST_POINTS or not shapely.Polygon(points).is_valid:
        return None
    return SimpleOutline(tuple((float(x), float(y)) for x, y in points), _drawn_iou(points, mask))


def mask_shape(mask: Mask) -> Any:
    """Return a mask as shapely's polygon or polygons along the pixels' edges, holes and all, in pixels of its grid."""
    import shapely

    return shapely.union_all(_stretches(mask))


def _stretches(mask: Mask) -> NDArray[Any]:
    """Return a box for each stretch of ones in each column."""
    import shapely

    runs = runs_from_counts(mask.counts)
    box = runs_box(runs, mask.height, mask.width, "F")
    assert box is not None  # noqa: S101  told to mypy; a mask is never empty
    x, y, w, h = box
    # A line of zeros before and after each column keeps neighbours apart.
    columns = np.zeros((w, h + 2), np.int8)
    columns[:, 1:-1] = decode_runs(runs, mask.height, mask.width, "F")[y : y + h, x : x + w].T
    steps = np.diff(columns, axis=1)
    places, begins = np.nonzero(steps == 1)
    _places, ends = np.nonzero(steps == -1)
    return np.asarray(shapely.box(places + x, begins + y, places + x + 1, ends + y))


def _thinned(ring: NDArray[np.float64], max_points: int) -> NDArray[np.float64]:
    """Return the ring with the smallest tolerance that leaves few enough points."""
    low, high = 0.0, 0.5
    best = _within(ring, high)
    while len(best) > max_points:
        low, high = high, 2 * high
        best = _within(ring, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = _within(ring, middle)
        if len(found) > max_points:
            low = middle
        else:
            high, best = middle, found
    return best


def _within(ring: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Thin the ring out between its outermost points, which stay: they hold the box."""
    import shapely

    outermost = sorted({int(place) for axis in (0, 1) for place in (ring[:, axis].argmin(), ring[:, axis].argmax())})
    turned = np.roll(ring, -outermost[0], axis=0)
    ends = [place - outermost[0] for place in outermost] + [len(ring)]
    closed = np.concatenate([turned, turned[:1]])
    lines = [shapely.LineString(closed[begin : end + 1]) for begin, end in itertools.pairwise(ends)]
    thinned = shapely.simplify(lines, tolerance, preserve_topology=False)
    return np.concatenate([shapely.get_coordinates(line)[:-1] for line in thinned])


def _drawn_iou(points: NDArray[np.float64], mask: Mask) -> float:
    import pycocotools.mask

    drawn = pycocotools.mask.frPyObjects([points.ravel().tolist()], mask.height, mask.width)
    return float(pycocotools.mask.iou(drawn, [mask.coco()], [0])[0, 0])
