"""A mask on another grid, run by run: no pixel of either grid is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.annotations.coco_rle import counts_from_runs, runs_from_counts
from sam2vlm.annotations.runs import canonical_runs, runs_box
from sam2vlm.annotations.types import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2vlm.annotations.runs import Runs

    Places = NDArray[np.int64]

__all__ = ["resampled_mask"]


def resampled_mask(mask: Mask, height: int, width: int) -> Mask:
    """Return a mask on a grid of ``height`` x ``width``; a mask that has this grid already comes back as it is.

    A pixel is one where the old grid's pixel under its middle is one (nearest neighbour). A mask that lies between
    all middles, as a tiny one on a coarser grid may, keeps the one pixel under the middle of its box, so that no
    object is lost.

    Args:
        mask: At least one pixel is one.
        height: Rows of the new grid.
        width: Columns of the new grid.
    """
    if (mask.height, mask.width) == (height, width):
        return mask
    runs = runs_from_counts(mask.counts)
    columns, begins, ends = _stretches_by_column(runs, mask.height)
    begins, ends = _first_rows(begins, mask.height, height), _first_rows(ends, mask.height, height)
    there = ends > begins
    columns, begins, ends = columns[there], begins[there], ends[there]
    # Which old column each new one shows, and that column's stretches.
    sources = (2 * np.arange(width) + 1) * mask.width // (2 * width)
    first = np.searchsorted(columns, sources, side="left")
    counts = np.searchsorted(columns, sources, side="right") - first
    chosen = np.repeat(first, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.repeat(np.arange(width), counts) * height
    if chosen.size:
        edges = np.column_stack((offsets + begins[chosen], offsets + ends[chosen])).ravel()
    else:
        edges = _middle_pixel(runs, mask, height, width)
    new = np.diff(np.concatenate(([0], edges, [height * width])))
    new = new if new[-1] else new[:-1]
    return Mask(height=height, width=width, counts=counts_from_runs(canonical_runs(new), height, width))


def _stretches_by_column(runs: Runs, height: int) -> tuple[Places, Places, Places]:
    """Return column, first row and one past the last row of every stretch of ones, cut where columns end."""
    ends = runs.cumsum()[1::2]
    begins = ends - runs[1::2]
    begins, ends = begins[ends > begins], ends[ends > begins]
    left, right = begins // height, (ends - 1) // height
    pieces = right - left + 1
    columns = np.repeat(left, pieces) + np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    top = np.maximum(np.repeat(begins, pieces), columns * height) - columns * height
    bottom = np.minimum(np.repeat(ends, pieces), (columns + 1) * height) - columns * height
    return columns, top, bottom


def _first_rows(rows: Places, old: int, new: int) -> Places:
    """Return the first new row whose middle lies at or below each old edge: ``ceil(row * new / old - 1 / 2)``."""
    return -((old - 2 * rows * new) // (2 * old))


def _middle_pixel(runs: Runs, mask: Mask, height: int, width: int) -> Places:
    box = runs_box(runs, mask.height, mask.width, "F")
    assert box is not None  # noqa: S101  told to mypy; a mask has a pixel
    x, y, w, h = box
    column = min((2 * x + w) * width // (2 * mask.width), width - 1)
    row = min((2 * y + h) * height // (2 * mask.height), height - 1)
    place = column * height + row
    return np.array([place, place + 1])
