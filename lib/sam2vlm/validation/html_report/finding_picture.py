"""One finding as a picture: the frame with every mask's outline, and the object that is concerned brought out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, UnidentifiedImageError

from sam2vlm.annotations.overlay import BLUE, ORANGE, draw_mask, outline_area, scaled_area
from sam2vlm.annotations.picture_text import Tags, own_font
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.annotations.overlay import Area, Colour
    from sam2vlm.annotations.types import Box, Frame, ObjectAnnotation
    from sam2vlm.validation.results import Finding

__all__ = ["FindingPicture", "draw_finding"]

JPEG_QUALITY = 78
MOST_ENLARGEMENT = 4.0
#: Masks drawn at most; some exporters write hundreds to a frame, and then nothing can be told apart anyway.
MOST_MASKS = 120
#: With more objects than this their numbers would hide the picture.
MOST_NUMBERS = 12
TINT = 0.3
FRAME_TINT = 0.12
#: What a damaged picture raises; an interruption is none of these and goes on its way.
UNREADABLE = (DataError, UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
GROUND = (96, 98, 104)
WHITE = (255, 255, 255)
#: An object that is shown smaller than this, in pixels, is shown a second time, enlarged.
TOO_SMALL = 24
LOUPE = 132
CONTEXT = 2.5


@dataclass(frozen=True, slots=True)
class FindingPicture:
    """A drawn finding.

    Attributes:
        jpeg: The file.
        width: Pixels.
        height: Pixels.
        alt: What it shows, in words.
        notes: What could not be drawn and why.
    """

    jpeg: bytes
    width: int
    height: int
    alt: str
    notes: tuple[str, ...]


def draw_finding(frame: Frame, finding: Finding, *, width: int) -> FindingPicture:
    """Draw a finding over its frame; what cannot be drawn is told, never raised.

    The object of the finding is orange and tinted, all others are blue outlines; the box is a thin line around each.
    Where the file's own box is of the frame and not the mask's, it is white and dashed. Numbers are object ids.

    Args:
        frame: The finding's.
        finding: What was found.
        width: Of the picture's longer side in pixels; a small frame is enlarged at most four times.
    """
    notes: list[str] = []
    picture = _ground(frame, width, notes)
    # On a plain ground there is nothing to see through a loupe.
    has_picture = not notes
    scale = picture.width / frame.width
    concerned = [item for item in frame.visible_objects if item.object_id == finding.object_id]
    others = [item for item in frame.visible_objects if item.object_id != finding.object_id]
    if len(others) > MOST_MASKS:
        notes.append(f"{len(others) - MOST_MASKS} of the other masks are not drawn.")
        others = others[:MOST_MASKS]
    tint = FRAME_TINT if finding.object_id is None else 0.0
    small = [item for item in concerned if has_picture and _needs_loupe(item, picture, scale)]
    plain = picture.copy() if small else picture
    _draw_objects(picture, others, BLUE, scale=scale, tint=tint, notes=notes)
    _draw_objects(picture, concerned, ORANGE, scale=scale, tint=TINT, notes=notes)
    _draw_numbers(picture, others, concerned, scale=scale)
    for item in small:
        _draw_loupe(picture, plain, item, scale=scale, notes=notes)
    if finding.object_id is not None and not concerned:
        notes.append(f"Object {finding.object_id} is not visible in this frame.")
    return FindingPicture(_jpeg(picture), picture.width, picture.height, _alt(concerned, others, frame), tuple(notes))


def _ground(frame: Frame, width: int, notes: list[str]) -> Image.Image:
    scale = min(width / max(frame.width, frame.height), MOST_ENLARGEMENT)
    size = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    if frame.read_image is None:
        notes.append("The export has no picture of this frame; the masks are drawn on a plain ground.")
        return Image.new("RGB", size, GROUND)
    try:
        with Image.open(io.BytesIO(frame.read_image()), formats=("PNG", "JPEG")) as stored:
            stored.draft("RGB", size)
            return stored.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except UNREADABLE as error:
        notes.append(f"Its picture cannot be read ({error}); the masks are drawn on a plain ground.")
        return Image.new("RGB", size, GROUND)


def _draw_objects(
    picture: Image.Image,
    items: Sequence[ObjectAnnotation],
    colour: Colour,
    *,
    scale: float,
    tint: float,
    notes: list[str],
) -> None:
    pen = ImageDraw.Draw(picture)
    for item in items:
        if item.bbox is not None:
            outline_area(pen, scaled_area(item.bbox, scale), colour, width=1)
        stored = _other_box(item)
        if stored is not None and colour is ORANGE:
            outline_area(pen, scaled_area(stored, scale), WHITE, dashed=True, width=2)
    for item in items:
        _draw_mask(picture, item, colour, tint=tint, notes=notes)


def _draw_mask(
    picture: Image.Image,
    item: ObjectAnnotation,
    colour: Colour,
    *,
    tint: float,
    notes: list[str],
    part: Area | None = None,
) -> None:
    if item.mask is None:
        return
    try:
        draw_mask(picture, item.mask, colour, tint=tint, part=part)
    except DataError as error:
        notes.append(f"The mask of object {item.object_id} cannot be drawn: {error}.")


def _other_box(item: ObjectAnnotation) -> Box | None:
    """Return the file's own box where it is of the frame's grid and is not the mask's, within a pixel."""
    if item.stored_bbox is None or item.bbox is None or item.mask is None:
        return None
    grid = item.mask.height, item.mask.width
    if grid[0] == grid[1]:
        # The demo tool's square grid: its boxes are of that grid and transposed, so they show nothing in the frame.
        return None
    differs = any(abs(mine - told) > 1 for mine, told in zip(item.bbox, item.stored_bbox, strict=True))
    return item.stored_bbox if differs else None


def _draw_numbers(
    picture: Image.Image, others: Sequence[ObjectAnnotation], concerned: Sequence[ObjectAnnotation], *, scale: float
) -> None:
    tags = Tags(ImageDraw.Draw(picture), picture.size, own_font())
    shown = [(item, ORANGE) for item in concerned]
    if len(others) <= MOST_NUMBERS:
        shown += [(item, BLUE) for item in others]
    for item, colour in shown:
        if item.bbox is not None:
            tags.write(str(item.object_id), scaled_area(item.bbox, scale), colour, above=True)


def _needs_loupe(item: ObjectAnnotation, picture: Image.Image, scale: float) -> bool:
    if item.bbox is None or min(picture.size) < 2 * LOUPE:
        return False
    return max(item.bbox[2:]) * scale < TOO_SMALL


def _draw_loupe(
    picture: Image.Image, plain: Image.Image, item: ObjectAnnotation, *, scale: float, notes: list[str]
) -> None:
    """Show a small object a second time, enlarged, in the corner that is furthest from it."""
    assert item.bbox is not None  # noqa: S101  told to mypy; the caller has looked
    left, top, right, bottom = scaled_area(item.bbox, scale)
    middle = (left + right) / 2, (top + bottom) / 2
    side = max(right - left, bottom - top, 8) * CONTEXT
    x = min(max(middle[0] - side / 2, 0), picture.width - side)
    y = min(max(middle[1] - side / 2, 0), picture.height - side)
    source = (x, y, x + side, y + side)
    lens = plain.resize((LOUPE, LOUPE), Image.Resampling.BICUBIC, box=source)
    part = (
        source[0] / picture.width,
        source[1] / picture.height,
        source[2] / picture.width,
        source[3] / picture.height,
    )
    _draw_mask(lens, item, ORANGE, tint=0.0, notes=notes, part=part)
    place = _far_corner(middle, picture.size)
    pen = ImageDraw.Draw(picture)
    outline_area(pen, source, WHITE, width=1)
    picture.paste(lens, place)
    outline_area(pen, (*place, place[0] + LOUPE, place[1] + LOUPE), WHITE, width=1)


def _far_corner(point: tuple[float, float], size: tuple[int, int]) -> tuple[int, int]:
    gap = 6
    right, bottom = size[0] - LOUPE - gap, size[1] - LOUPE - gap
    return (gap if point[0] > size[0] / 2 else right, gap if point[1] > size[1] / 2 else bottom)


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    # Colours at full resolution: halved ones would wash the thin lines out.
    picture.save(stream, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return stream.getvalue()


def _alt(concerned: Sequence[ObjectAnnotation], others: Sequence[ObjectAnnotation], frame: Frame) -> str:
    said = [f"Frame {frame.frame_index}"]
    if concerned:
        said.append(f"{_named(concerned[0])} in orange, {_where(concerned[0], frame)}")
    count = len(others)
    if count:
        # Numbers say more than names where there are many.
        named = ", ".join(_named(item) for item in others) if count <= MOST_NUMBERS else f"{count} objects"
        said.append(f"in blue {'also ' if concerned else ''}{named}")
    if not concerned and not count:
        said.append("without a visible object")
    return ": ".join((said[0], "; ".join(said[1:]))) + "."


def _named(item: ObjectAnnotation) -> str:
    return f"object {item.object_id}" + (f" ({item.label})" if item.label.strip() else "")


def _where(item: ObjectAnnotation, frame: Frame) -> str:
    if item.bbox is None:
        return "without a box"
    x, y, w, h = item.bbox
    down = ("at the top", "in the middle", "at the bottom")[min(int(3 * (y + h / 2) / frame.height), 2)]
    across = ("left", "centre", "right")[min(int(3 * (x + w / 2) / frame.width), 2)]
    return f"{down} {across}"
