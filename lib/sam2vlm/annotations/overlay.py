"""Boxes and masks drawn over a frame's picture, for reports: seen on any ground, told apart without colours.

Two colours serve everywhere, blue and orange: they differ in brightness too, and where both are boxes the one is
solid and the other dashed. Every line lies over a dark one, which keeps it visible on any ground. Equal input gives
equal bytes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sam2vlm.annotations.coco_rle import decode_mask, runs_from_counts
from sam2vlm.annotations.runs import check_sum, runs_box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import ImageDraw

    from sam2vlm.annotations.types import Box, Mask

__all__ = [
    "BLUE",
    "DASH",
    "HALO",
    "ORANGE",
    "Area",
    "Colour",
    "draw_line",
    "draw_mask",
    "mask_picture",
    "outline_area",
    "scaled_area",
]

#: ``(x1, y1, x2, y2)`` in the pixels of the picture that is drawn on.
Area = tuple[float, float, float, float]
#: Red, green and blue, 0 to 255.
Colour = tuple[int, int, int]

BLUE: Colour = (64, 186, 255)
ORANGE: Colour = (255, 159, 28)
HALO: Colour = (16, 18, 24)
DASH = 12
LINE = 3
HALF = 128
WHOLE: Area = (0.0, 0.0, 1.0, 1.0)


def scaled_area(box: Box, scale: float) -> Area:
    """Return a box ``(x, y, w, h)`` of the frame as an area of a picture that is ``scale`` times as large."""
    x, y, width, height = box
    return (x * scale, y * scale, (x + width) * scale, (y + height) * scale)


def outline_area(
    pen: ImageDraw.ImageDraw, area: Area, colour: Colour, *, dashed: bool = False, width: int = LINE
) -> None:
    """Draw an area's four edges over a dark halo.

    Args:
        pen: Of the picture.
        area: What to outline.
        colour: Of the line.
        dashed: Whether the line is broken, which tells it from another one without its colour.
        width: Of the line in pixels; the halo adds one on both sides.
    """
    for line, paint in ((width + 2, HALO), (width, colour)):
        for start, end in _edges(area):
            draw_line(pen, start, end, paint, dashed=dashed, width=line)


def draw_line(
    pen: ImageDraw.ImageDraw,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: Colour,
    *,
    dashed: bool = False,
    width: int = LINE,
) -> None:
    """Draw a line, whole or in dashes of :data:`DASH` pixels, without a halo."""
    for piece in _dashes(start, end) if dashed else [(start, end)]:
        pen.line(piece, fill=colour, width=width)


def draw_mask(
    picture: Image.Image, mask: Mask, colour: Colour, *, tint: float = 0.0, width: int = 2, part: Area | None = None
) -> None:
    """Draw a mask's outline around its pixels, and tint them where asked.

    Args:
        picture: RGB; shows the frame, or ``part`` of it, in any size. It is changed.
        mask: On its own grid, which spans the frame.
        colour: Of outline and tint.
        tint: Share of the colour in the mask's own pixels, 0 leaves them as they are.
        width: Of the outline in pixels; it lies outside of the mask, so that nothing of the object is covered.
        part: The part of the frame that the picture shows, as fractions of the frame ``(x1, y1, x2, y2)``.

    Raises:
        DataError: The mask's string is malformed or does not fit its grid.
    """
    frame = _reach(mask, picture.size, part or WHOLE, width + 2)
    if frame is None:
        return
    shown = part or WHOLE
    across, down = (shown[2] - shown[0]) / picture.width, (shown[3] - shown[1]) / picture.height
    cut = (
        shown[0] + frame[0] * across,
        shown[1] + frame[1] * down,
        shown[0] + frame[2] * across,
        shown[1] + frame[3] * down,
    )
    inside = mask_picture(mask, (frame[2] - frame[0], frame[3] - frame[1]), part=cut)
    piece = picture.crop(frame)
    if tint:
        piece.paste(Image.blend(piece, Image.new("RGB", piece.size, colour), tint), mask=inside)
    pixels = np.asarray(inside) > 0
    for reach, paint in ((width + 1, HALO), (width, colour)):
        piece.paste(paint, mask=Image.fromarray(_grown(pixels, reach) & ~pixels))
    picture.paste(piece, frame[:2])


def mask_picture(mask: Mask, size: tuple[int, int], *, part: Area | None = None) -> Image.Image:
    """Return a mask as a picture of mode ``L``, 255 where it is one.

    Args:
        mask: On its own grid.
        size: Width and height wanted, pixels.
        part: The part of the grid that is wanted, as fractions of it; None takes all.

    Raises:
        DataError: The mask's string is malformed or does not fit its grid.
    """
    grid = Image.fromarray(decode_mask(mask) * np.uint8(255))
    box = None
    if part is not None:
        # Rounding must not lead a hair's breadth out of the grid.
        box = tuple(min(max(side, 0.0), 1.0) * (mask.width, mask.height)[at % 2] for at, side in enumerate(part))
    # Bilinear rather than nearest: the steps of a coarse grid are not the object's edge.
    smooth = grid.resize(size, Image.Resampling.BILINEAR, box=box)  # type: ignore[arg-type]  # four floats it is
    whole = smooth.point([255 if value >= HALF else 0 for value in range(256)])
    # An object of a few pixels vanishes in a small picture unless its faintest trace counts.
    return whole if whole.getbbox() is not None else smooth.point([255 if value else 0 for value in range(256)])


def _reach(mask: Mask, size: tuple[int, int], part: Area, margin: int) -> tuple[int, int, int, int] | None:
    """Return the pixels of a picture that a mask and its outline can touch; None where it shows nothing there."""
    runs = runs_from_counts(mask.counts)
    check_sum(runs, mask.height, mask.width)
    box = runs_box(runs, mask.height, mask.width, "F")
    if box is None:
        return None
    x, y, w, h = box
    edges = (x / mask.width, y / mask.height, (x + w) / mask.width, (y + h) / mask.height)
    places = [(edge - part[at % 2]) / (part[at % 2 + 2] - part[at % 2]) * size[at % 2] for at, edge in enumerate(edges)]
    left, top = (max(math.floor(place) - margin, 0) for place in places[:2])
    right, bottom = (min(math.ceil(place) + margin, most) for place, most in zip(places[2:], size, strict=True))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _grown(pixels: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return a mask grown by some pixels in both directions, corners included."""
    for axis in (0, 1):
        grown = pixels.copy()
        for step in range(1, reach + 1):
            ahead, behind = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            grown[tuple(ahead)] |= pixels[tuple(behind)]
            grown[tuple(behind)] |= pixels[tuple(ahead)]
        pixels = grown
    return pixels


def _edges(area: Area) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    left, top, right, bottom = area
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return list(zip(corners, corners[1:] + corners[:1], strict=True))


def _dashes(
    start: tuple[float, float], end: tuple[float, float]
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    steps = max(int(length / DASH), 1)
    for step in range(0, steps, 2):
        first, last = step / steps, min((step + 1) / steps, 1.0)
        yield (
            (start[0] + (end[0] - start[0]) * first, start[1] + (end[1] - start[1]) * first),
            (start[0] + (end[0] - start[0]) * last, start[1] + (end[1] - start[1]) * last),
        )
