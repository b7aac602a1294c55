"""The demo tool's paint: what it draws over each object before it stores a frame's picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sam2vlm.sample.masks import box_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PALETTE", "paint"]

#: Pure colours, one object after the other.
PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
_SHARE = 0.3
_TEXT_PIXELS = 14


def paint(picture: Image.Image, objects: Sequence[tuple[int, str, NDArray[np.bool_]]]) -> Image.Image:
    """Return the picture with a 30 % overlay, a 2-pixel contour and a label on a black box at each object.

    Args:
        picture: RGB.
        objects: ``(object_id, label, mask)``; masks on the picture's grid.
    """
    pixels = np.array(picture)
    for object_id, _label, mask in objects:
        colour = np.array(PALETTE[object_id % len(PALETTE)], dtype=np.float32)
        pixels[mask] = (pixels[mask] * (1 - _SHARE) + colour * _SHARE).astype(np.uint8)
        pixels[_contour(mask)] = colour.astype(np.uint8)
    painted = Image.fromarray(pixels)
    for _object_id, label, mask in objects:
        _write(painted, label, mask)
    return painted


def _contour(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the outermost two pixels of a mask."""
    grey = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    inner = np.asarray(grey.filter(ImageFilter.MinFilter(5))) > 0
    edge: NDArray[np.bool_] = mask & ~inner
    return edge


def _write(picture: Image.Image, label: str, mask: NDArray[np.bool_]) -> None:
    font = ImageFont.load_default(_TEXT_PIXELS)
    left, top, _width, _height = box_of(mask)
    draw = ImageDraw.Draw(picture)
    place = (left + 3, max(top - _TEXT_PIXELS - 5, 1))
    x1, y1, x2, y2 = draw.textbbox(place, label, font=font)
    draw.rectangle((x1 - 3, y1 - 3, x2 + 3, y2 + 3), fill=(0, 0, 0))
    draw.text(place, label, fill=(255, 255, 255), font=font)
