"""Masks on another grid, run by run: no pixel of either grid is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.annotations.coco_many import runs_of_many
from sam2vlm.annotations.coco_rle import counts_from_runs, runs_from_counts
from sam2vlm.annotations.runs import canonical_runs, runs_box
from sam2vlm.annotations.types import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sam2vlm.annotations.runs import Runs

    Places = NDArray[np.int64]

__all__ = ["resampled_masks"]


def resampled_masks(masks: Sequence[Mask], height: int, width: int) -> list[Mask]:
    """Return masks on a grid of ``height`` x ``width``; one that has this grid already comes back as it is.

    A pixel is one where the old grid's pixel under its middle is one (nearest neighbour). A mask that lies between
    all middles, as a tiny one on a coarser grid may, keeps the one pixel under the middle of its box, so that no
    object is lost. Twenty masks at once take a fifth of the time that they take one by one.

    Args:
        masks: Of each at least one pixel is one.
        height: Rows of the new grid.
        width: Columns of the new grid.
    """
    done: list[Mask] = list(masks)
    others: dict[tuple[int, int], list[int]] = {}
    for place, mask in enumerate(masks):
        if (mask.height, mask.width) != (height, width):
            others.setdefault((mask.height, mask.width), []).append(place)
    for grid, places in others.items():
        for place, new in zip(places, _of_one_grid([masks[at] for at in places], grid, (height, width)), strict=True):
            done[place] = new
    return done


def _of_one_grid(masks: Sequence[Mask], old: tuple[int, int], new: tuple[int, int]) -> Iterator[Mask]:
    """Yield the masks of one grid on another; side by side they are one wide mask, column by column."""
    runs, lengths = _runs_of(masks, old)
    columns, begins, ends = _stretches_by_column(runs, lengths, old[0])
    begins, ends = _first_rows(begins, old[0], new[0]), _first_rows(ends, old[0], new[0])
    there = ends > begins
    columns, begins, ends = columns[there], begins[there], ends[there]
    # Which old column each new one shows, and that column's stretches.
    shown = (2 * np.arange(new[1]) + 1) * old[1] // (2 * new[1])
    sources = (np.arange(len(masks))[:, None] * old[1] + shown).ravel()
    # Stretches are sorted by their columns, so how many each column has tells where its own begin.
    pieces = np.bincount(columns, minlength=len(masks) * old[1])
    counts = pieces[sources]
    first = (np.cumsum(pieces) - pieces)[sources]
    chosen = np.repeat(first, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.repeat(np.arange(sources.size), counts) * new[0]
    edges = np.column_stack((offsets + begins[chosen], offsets + ends[chosen])).ravel()
    pixels = new[0] * new[1]
    # By where stretches begin: one may end where the next mask begins.
    borders = 2 * np.searchsorted(edges[::2], np.arange(len(masks) + 1) * pixels)
    for number, mask in enumerate(masks):
        own = edges[borders[number] : borders[number + 1]] - number * pixels
        if not own.size:
            own = _middle_pixel(runs_from_counts(mask.counts), mask, *new)
        spans = np.diff(np.concatenate(([0], own, [pixels])))
        spans = spans if spans[-1] else spans[:-1]
        yield Mask(height=new[0], width=new[1], counts=counts_from_runs(canonical_runs(spans), *new))


def _runs_of(masks: Sequence[Mask], grid: tuple[int, int]) -> tuple[Runs, Places]:
    """Return the runs of all masks one behind the other, and how many each has."""
    found = runs_of_many([mask.counts for mask in masks], [grid[0] * grid[1]] * len(masks))
    if found is not None:
        return found
    apart = [runs_from_counts(mask.counts) for mask in masks]
    return np.concatenate(apart), np.array([runs.size for runs in apart])


def _stretches_by_column(runs: Runs, lengths: Places, height: int) -> tuple[Places, Places, Places]:
    """Return column, first row and one past the last row of every stretch of ones, cut where columns end."""
    place = np.arange(runs.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    ones = place % 2 == 1
    ends = runs.cumsum()[ones]
    begins = ends - runs[ones]
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
