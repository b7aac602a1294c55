"""Masks as SAM 2 leaves them: predicted as logits on a grid of 256 x 256, with ragged edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter
from pycocotools import mask as coco

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GRID", "box_of", "compressed_counts", "logits", "row_major_counts", "runs", "upsampled"]

#: Side of SAM 2's logits, whatever the video's size.
GRID = 256
_STEEPNESS = 10.0
_NOISE = 0.8
_PATTERN = 0.5  # the upsampling layers leave a pattern with a period of four cells
_BLEMISH_SHARE = 0.05  # of all masks, one small hole or speck


def logits(owners: Image.Image, slot: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an object's logits (256, 256): positive where it is visible.

    Args:
        owners: The frame's owners, see :class:`sam2vlm.sample.scene.View`.
        slot: The object's number in it.
        rng: The stream of this mask.
    """
    field = np.full((GRID, GRID), -_STEEPNESS / 2, dtype=np.float32)
    table = [0] * 256
    table[slot] = 255
    silhouette = owners.point(table)
    near = silhouette.getbbox()
    if near is None:
        return field
    left, top, right, bottom = _cells(near, owners.size)
    sx, sy = owners.width / GRID, owners.height / GRID
    cover = silhouette.resize(
        (right - left, bottom - top), Image.Resampling.BOX, box=(left * sx, top * sy, right * sx, bottom * sy)
    ).filter(ImageFilter.GaussianBlur(0.8))
    part = field[top:bottom, left:right]
    part += np.asarray(cover, dtype=np.float32) * np.float32(_STEEPNESS / 255)
    part += _NOISE * rng.standard_normal(part.shape, dtype=np.float32)
    rows, columns = np.ogrid[top:bottom, left:right]
    part += _PATTERN * (((rows % 4 == 0) ^ (columns % 4 == 0)) - 0.5).astype(np.float32)
    if rng.random() < _BLEMISH_SHARE:
        _blemish(part, rng)
    return field


def _cells(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the cells of the grid that a box of frame pixels touches, and three more on each side."""
    left, top, right, bottom = box
    width, height = size
    return (
        max(left * GRID // width - 3, 0),
        max(top * GRID // height - 3, 0),
        min(-(-right * GRID // width) + 3, GRID),
        min(-(-bottom * GRID // height) + 3, GRID),
    )


def _blemish(part: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Turn a spot of one to three cells inside out."""
    row, column = (int(rng.integers(0, side)) for side in part.shape)
    reach = int(rng.integers(1, 3))
    spot = part[row : row + reach, column : column + reach + 1]
    np.negative(spot, out=spot)


def upsampled(field: NDArray[np.float32], width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask on the frame's own grid (height, width), as SAM 2 resizes its logits."""
    grown = Image.fromarray(field).resize((width, height), Image.Resampling.BILINEAR)
    mask: NDArray[np.bool_] = np.asarray(grown) > 0
    return mask


def runs(flat: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a flat mask; the first counts zeros and may be 0."""
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], borders, [flat.size]]))
    return ([0] if flat[0] else []) + [int(length) for length in lengths]


def row_major_counts(mask: NDArray[np.bool_]) -> str:
    """Return the demo tool's text: the runs in C order, separated by blanks."""
    return " ".join(map(str, runs(mask.ravel())))


def compressed_counts(mask: NDArray[np.bool_]) -> str:
    """Return COCO's compressed counts (column-major)."""
    return str(coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"], "ascii")


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return (x, y, w, h) in the mask's own grid; zeros for an empty mask."""
    found = Image.fromarray(mask.view(np.uint8)).getbbox()
    if found is None:
        return 0, 0, 0, 0
    left, top, right, bottom = found
    return left, top, right - left, bottom - top
