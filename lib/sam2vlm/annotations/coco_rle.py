"""COCO's run-length encoding: checked reading, and writing through pycocotools.

pycocotools trusts its input: a truncated string is read past its end. Strings from files are therefore taken apart
here, checked, and only then handed on. The format: ``maskApi.c``, ``rleToString`` of the COCO API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.runs import MAX_GRID_PIXELS, canonical_runs, check_sum, decode_runs, runs_from_list
from sam2vlm.annotations.types import Mask
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.annotations.runs import Pixels, Runs

__all__ = ["counts_from_runs", "decode_mask", "mask_from_runs", "read_coco", "read_size", "runs_from_counts"]

# A count needs 32 bits, a character carries 5.
_MAX_CHARACTERS = 7


def runs_from_counts(counts: str) -> Runs:
    """Read the column-major runs from COCO's compressed string.

    Returns:
        int64 of shape (runs,), every one in ``0..MAX_GRID_PIXELS``.

    Raises:
        DataError: A character outside of the alphabet, a string that stops inside of a number, or a run that no
            mask can have.
    """
    if not counts:
        raise DataError("is an empty COCO string", expected="COCO's compressed RLE", found="nothing")
    try:
        sixes = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise DataError("is not a COCO string", expected="characters 0 to o", found=counts) from None
    if int(sixes.min()) < 0 or int(sixes.max()) > 63:  # noqa: PLR2004  six bits a character
        raise DataError("is not a COCO string", expected="characters 0 to o", found=counts)
    runs = _undo_differences(_join_groups(sixes, counts))
    if int(runs.min()) < 0 or int(runs.max()) > MAX_GRID_PIXELS:
        raise DataError("has an impossible run", expected=f"0 to {MAX_GRID_PIXELS}", found=counts)
    return runs


def counts_from_runs(runs: Runs, height: int, width: int) -> str:
    """Return COCO's compressed string of column-major runs that add up to ``height * width``."""
    # Imported here so that settings and reports start without it.
    import pycocotools.mask

    coded = pycocotools.mask.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return str(coded["counts"], "ascii")


def mask_from_runs(runs: Runs, height: int, width: int) -> Mask | None:
    """Return the mask of column-major runs, or None where no pixel is one.

    Raises:
        DataError: The runs do not add up to the grid.
    """
    check_sum(runs, height, width)
    tidy = canonical_runs(runs)
    if tidy.size < 2:  # noqa: PLR2004  one run: zeros only
        return None
    return Mask(height=height, width=width, counts=counts_from_runs(tidy, height, width))


def decode_mask(mask: Mask) -> Pixels:
    """Return the mask as uint8 of shape (grid height, grid width), 0 and 1.

    pycocotools would do the same, with a deprecation warning from NumPy 2 at every call.

    Raises:
        DataError: The string is malformed or does not fit the grid.
    """
    return decode_runs(runs_from_counts(mask.counts), mask.height, mask.width, "F")


def read_size(value: object) -> tuple[int, int]:
    """Read COCO's ``size``.

    Returns:
        Height and width.

    Raises:
        DataError: It is not two positive integers, or a grid beyond ``MAX_GRID_PIXELS``.
    """
    match value:
        case [int(height), int(width)] if height > 0 and width > 0 and bool not in (type(height), type(width)):
            pass
        case _:
            raise DataError("is not a size", expected="[height, width] in pixels", found=repr(value))
    if height * width > MAX_GRID_PIXELS:
        raise DataError("is too large", expected=f"at most {MAX_GRID_PIXELS} pixels", found=f"{height} x {width}")
    return height, width


def read_coco(value: dict[str, Any]) -> tuple[Runs, int, int]:
    """Read ``{"size": [height, width], "counts": string or list}``.

    Returns:
        Column-major runs without empty ones, height and width.

    Raises:
        DataError: A part is missing, has the wrong shape, or the runs do not add up to the size.
    """
    for name in ("size", "counts"):
        if name not in value:
            raise DataError(f"lacks {name}", expected='{"size": [height, width], "counts": ...}', found=sorted(value))
    height, width = read_size(value["size"])
    counts = value["counts"]
    if isinstance(counts, str):
        runs = runs_from_counts(counts)
    elif isinstance(counts, list):
        runs = runs_from_list(counts)
    else:
        raise DataError(
            "has counts of a wrong type", expected="a string or a list of integers", found=type(counts).__name__
        )
    check_sum(runs, height, width)
    return canonical_runs(runs), height, width


def _join_groups(sixes: Runs, counts: str) -> Runs:
    """Join the characters of each number: five bits each, lowest first, bit 5 says that another one follows."""
    last = (sixes & 32) == 0
    if not last[-1]:
        raise DataError("is a truncated COCO string", expected="a string that ends with a number", found=counts)
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if int(lengths.max()) > _MAX_CHARACTERS:
        raise DataError("has an impossible run", expected="numbers of 32 bits", found=counts)
    place = np.arange(sixes.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((sixes & 31) << (5 * place), starts)
    negative = (sixes[ends] & 16) != 0
    return values - np.where(negative, np.int64(1) << (5 * lengths), 0)


def _undo_differences(values: Runs) -> Runs:
    """From the fourth number on, each is the difference to the one two places before it."""
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs
