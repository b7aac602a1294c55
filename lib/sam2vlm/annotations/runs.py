"""Masks as runs: boxes, areas and other orders without looking at pixels.

Runs are the lengths of alternating stretches of zeros and ones along a flattened mask, zeros first. The order is
``"C"`` (row by row, as NumPy flattens) or ``"F"`` (column by column, as COCO does). Area and box straight from the
runs cost about 1/160 of decoding, so pixels are made only where they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Runs: TypeAlias = "NDArray[np.int64]"
    Pixels: TypeAlias = "NDArray[np.uint8]"

__all__ = [
    "MAX_GRID_PIXELS",
    "Order",
    "canonical_runs",
    "decode_runs",
    "reorder_runs",
    "runs_area",
    "runs_box",
    "runs_from_list",
    "runs_from_pixels",
    "runs_from_text",
]

Order = Literal["C", "F"]

# 16,384 x 16,384: far above any video, and small enough that a forged size cannot exhaust the memory.
MAX_GRID_PIXELS = 2**28
_RUN_CHARACTERS = b"0123456789 \t\r\n"


def runs_from_text(text: str) -> Runs:
    """Read runs from integers separated by blanks, as the SAM 2 demo tool writes them.

    Returns:
        int64 of shape (runs,), every one in ``0..MAX_GRID_PIXELS``.

    Raises:
        DataError: Another character than digits and blanks, no run at all, or a run beyond any grid.
    """
    if not text.isascii() or text.encode().translate(None, delete=_RUN_CHARACTERS):
        raise DataError("is not a run string", expected="integers separated by blanks", found=text)
    if not text.strip():
        raise DataError("is an empty run string", expected="integers separated by blanks", found="nothing")
    # A number beyond int64 saturates here, and is refused with the other runs that fit no grid.
    return _within_limits(np.fromstring(text, dtype=np.int64, sep=" "))


def runs_from_list(values: Sequence[object]) -> Runs:
    """Read runs from a list of integers.

    Returns:
        int64 of shape (runs,), every one in ``0..MAX_GRID_PIXELS``.

    Raises:
        DataError: An item that is no integer, no run at all, a negative run, or one beyond any grid.
    """
    if not values:
        raise DataError("has no runs", expected="a list of integers", found="an empty list")
    for position, value in enumerate(values):
        if type(value) is not int:
            raise DataError("has a run that is no integer", expected="integers", found=f"{value!r} at {position}")
        if not 0 <= value <= MAX_GRID_PIXELS:
            raise DataError("has an impossible run", expected=f"0 to {MAX_GRID_PIXELS}", found=f"{value} at {position}")
    return np.array(values, dtype=np.int64)


def runs_from_pixels(pixels: Pixels, order: Order) -> Runs:
    """Return the canonical runs of a mask of shape (height, width); any non-zero value counts as one."""
    flat = (pixels != 0).ravel(order=order)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs = np.diff(edges)
    return np.concatenate(([0], runs)) if flat.size and flat[0] else runs


def decode_runs(runs: Runs, height: int, width: int, order: Order) -> Pixels:
    """Return the mask as uint8 of shape (height, width), 0 and 1.

    Raises:
        DataError: The runs do not add up to the grid.
    """
    check_sum(runs, height, width)
    return _pixels(runs).reshape((height, width), order=order)


def check_sum(runs: Runs, height: int, width: int) -> None:
    """Check that runs cover a grid of ``height`` x ``width`` exactly.

    Raises:
        DataError: They do not; names both numbers.
    """
    total = int(runs.sum())
    if total != height * width:
        raise DataError(
            "the runs do not add up to the mask's size",
            expected=f"{height * width} ({width} x {height})",
            found=f"a sum of {total}",
        )


def runs_area(runs: Runs) -> int:
    """Return how many pixels are one."""
    return int(runs[1::2].sum())


def runs_box(runs: Runs, height: int, width: int, order: Order) -> tuple[int, int, int, int] | None:
    """Return the smallest box ``(x, y, w, h)`` around the ones in grid pixels, or None where there are none.

    Args:
        runs: Adding up to ``height * width``.
        height: Rows of the grid.
        width: Columns of the grid.
        order: How the mask was flattened.
    """
    line = width if order == "C" else height
    starts, ends = _stretches(runs)
    if not starts.size:
        return None
    first_lines, first_places = np.divmod(starts, line)
    last_lines, last_places = np.divmod(ends - 1, line)
    first_line, last_line = int(first_lines[0]), int(last_lines[-1])
    if (first_lines != last_lines).any():
        # A stretch that goes on into the next line holds the end of the one and the beginning of the other.
        low, high = 0, line - 1
    else:
        low, high = int(first_places.min()), int(last_places.max())
    along = (low, high - low + 1)
    across = (first_line, last_line - first_line + 1)
    (x, w), (y, h) = (along, across) if order == "C" else (across, along)
    return x, y, w, h


def canonical_runs(runs: Runs) -> Runs:
    """Return the same mask without runs of length zero, but for the first, as COCO's own encoder writes it."""
    if runs.size and (runs[1:] > 0).all():
        return runs
    starts, ends = _stretches(runs)
    if not starts.size:
        return np.array([runs.sum()], dtype=np.int64)
    apart = np.concatenate(([True], starts[1:] > ends[:-1]))
    begins = starts[apart]
    finishes = ends[np.concatenate((apart[1:], [True]))]
    edges = np.concatenate(([0], np.column_stack((begins, finishes)).ravel(), [int(runs.sum())]))
    joined = np.diff(edges)
    return joined if joined[-1] else joined[:-1]


def reorder_runs(runs: Runs, height: int, width: int, *, box: tuple[int, int, int, int] | None = None) -> Runs:
    """Return the canonical column-major runs of a mask given row-major.

    Only the pixels inside of the mask's box are looked at.

    Args:
        runs: Row-major, adding up to ``height * width``.
        height: Rows of the grid.
        width: Columns of the grid.
        box: The mask's box, where the caller has it already.
    """
    box = box or runs_box(runs, height, width, "C")
    if box is None:
        return np.array([height * width], dtype=np.int64)
    x, y, w, h = box
    inside = _pixels(runs).reshape((height, width))[y : y + h, x : x + w]
    # A line of zeros before and after each column keeps neighbours apart: every stretch lies in one column.
    columns = np.zeros((w, h + 2), np.uint8)
    columns[:, 1:-1] = inside.T
    flat = columns.ravel()
    lines, rows = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), h + 2)
    edges = np.empty(rows.size + 2, np.int64)
    edges[0], edges[-1] = 0, height * width
    edges[1:-1] = (lines + x) * height + rows + y
    return canonical_runs(edges[1:] - edges[:-1])


def _pixels(runs: Runs) -> Pixels:
    values = np.zeros(runs.size, np.uint8)
    values[1::2] = 1
    return np.repeat(values, runs)


def _within_limits(runs: Runs) -> Runs:
    if not runs.size or int(runs.max()) > MAX_GRID_PIXELS:
        raise DataError(
            "has an impossible run", expected=f"0 to {MAX_GRID_PIXELS}", found=int(runs.max()) if runs.size else "none"
        )
    return runs


def _stretches(runs: Runs) -> tuple[Runs, Runs]:
    """First and one-past-last flat index of every stretch of ones that has a length."""
    lengths = runs[1::2]
    ends = runs.cumsum()[1::2]
    starts = ends - lengths
    there = lengths > 0
    return (starts, ends) if there.all() else (starts[there], ends[there])
