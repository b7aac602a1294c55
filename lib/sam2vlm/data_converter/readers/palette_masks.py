"""An indexed PNG to one mask an object, in one pass over its pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from sam2vlm.annotations.runs import MAX_GRID_PIXELS
from sam2vlm.data_converter.json_fields import source_of
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2vlm.annotations.runs import Pixels, Runs
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["BACKGROUND", "VOID", "is_indexed", "object_runs", "read_indices"]

#: Pixel values that are no object.
BACKGROUND, VOID = 0, 255

# PNG's header: the bit depth and the colour type stand behind width and height.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _COLOUR, _HEAD_BYTES = 24, 25, 26
_GREY, _INDEXED = 0, 3
_COLOUR_NAMES = {0: "grey", 2: "RGB", 3: "indexed", 4: "grey with alpha", 6: "RGB with alpha"}


def is_indexed(archive: ExportArchive, name: str) -> bool:
    """Whether an entry is a PNG with a palette, by its header."""
    head = archive.head(name, _HEAD_BYTES)
    return head.startswith(_SIGNATURE) and len(head) == _HEAD_BYTES and head[_COLOUR] == _INDEXED


def read_indices(archive: ExportArchive, name: str) -> Pixels:
    """Return a mask picture's pixel values, uint8 of shape (height, width).

    Raises:
        DataError: It is no PNG, damaged, too large, or its pixels are no object ids: neither indexed nor 8-bit grey.
    """
    source = source_of(archive, name)
    content = archive.read(name)
    if not content.startswith(_SIGNATURE) or len(content) < _HEAD_BYTES:
        raise DataError("is no mask", source=source, expected="an indexed PNG", found=f"{len(content)} bytes")
    depth, colour = content[_DEPTH], content[_COLOUR]
    if colour != _INDEXED and (colour, depth) != (_GREY, 8):
        raise DataError(
            "is a picture whose pixels are no object ids",
            source=source,
            expected="an indexed PNG, or 8-bit grey",
            found=f"{_COLOUR_NAMES.get(colour, 'unknown')}, {depth} bits",
        )
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_GRID_PIXELS:
                raise DataError(
                    "is too large a mask",
                    source=source,
                    expected=f"at most {MAX_GRID_PIXELS} pixels",
                    found=f"{picture.width} x {picture.height}",
                )
            return np.asarray(picture, np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError("is a damaged picture", source=source, expected="a PNG", found=error) from None


def object_runs(indices: Pixels) -> dict[int, Runs]:
    """Return the canonical column-major runs of every object of a mask picture, by ascending id.

    Args:
        indices: uint8 of shape (height, width); 0 and 255 are no objects.
    """
    flat = np.ascontiguousarray(indices.T).ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.concatenate((starts[1:], [flat.size]))
    values = flat[starts]
    return {
        int(value): _runs(starts[values == value], ends[values == value], flat.size)
        for value in np.unique(values)
        if value not in (BACKGROUND, VOID)
    }


def _runs(starts: NDArray[np.int64], ends: NDArray[np.int64], total: int) -> Runs:
    edges = np.concatenate(([0], np.column_stack((starts, ends)).ravel(), [total]))
    runs = np.diff(edges)
    return runs if runs[-1] else runs[:-1]
