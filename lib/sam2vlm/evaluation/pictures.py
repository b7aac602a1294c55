"""Overlay pictures: one frame, side by side for each model, with the true and the predicted boxes.

True boxes are blue and solid, predicted ones orange and dashed: the two differ in colour, in brightness and in
form, so that they can be told apart by everybody and in print. Equal input gives equal bytes.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from sam2vlm.evaluation.matching import ious_of_truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = ["Panel", "draw_case"]

PANEL_WIDTH = 560
MOST_ENLARGEMENT = 4.0
BAR = 26
GAP = 8
MARGIN = 3
TEXT_SIZE = 14
LINE = 3
DASH = 12
NAMELESS = "(no label)"
LONGEST_TEXT = 300

TRUE_COLOUR = (64, 186, 255)
PREDICTED_COLOUR = (255, 159, 28)
HALO = (16, 18, 24)
PAPER = (255, 255, 255)
INK = (24, 26, 32)

Area = tuple[float, float, float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Panel:
    """One model's view of the frame.

    Attributes:
        title: Stands above it.
        truth: The true objects, in frame pixels.
        predicted: What the model said, in frame pixels.
    """

    title: str
    truth: Sequence[SeenObject]
    predicted: Sequence[SeenObject]


def draw_case(image: Image.Image, panels: Sequence[Panel], *, caption: str) -> bytes:
    """Draw the panels side by side over one frame.

    Args:
        image: The frame in its own size, which the boxes refer to.
        panels: From left to right.
        caption: A line below, beside the legend.

    Returns:
        A PNG file.
    """
    scale = min(PANEL_WIDTH / image.width, MOST_ENLARGEMENT)
    width, height = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    frame = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + 3 * BAR), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left = number * (width + GAP)
        pen.text((left + MARGIN, MARGIN), _fitting(panel.title, width), fill=INK, font=_font())
        sheet.paste(_overlaid(frame, panel, scale), (left, BAR))
    _legend(pen, BAR + height)
    pen.text((MARGIN, height + 2 * BAR + MARGIN), _fitting(caption, sheet.width), fill=INK, font=_font())
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _overlaid(frame: Image.Image, panel: Panel, scale: float) -> Image.Image:
    picture = frame.copy()
    pen = ImageDraw.Draw(picture)
    truth = [_scaled(item, scale) for item in panel.truth]
    predicted = [_scaled(item, scale) for item in panel.predicted]
    for area in truth:
        _outline(pen, area, TRUE_COLOUR, dashed=False)
    for area in predicted:
        _outline(pen, area, PREDICTED_COLOUR, dashed=True)
    tags = _Tags(pen, picture.size)
    for item, area in zip(panel.truth, truth, strict=True):
        tags.write(item.label or NAMELESS, area, TRUE_COLOUR, above=True)
    for item, area, iou in zip(panel.predicted, predicted, _ious(panel), strict=True):
        tags.write(f"{item.label or NAMELESS} {iou:.2f}", area, PREDICTED_COLOUR, above=False)
    return picture


def _ious(panel: Panel) -> list[float]:
    # The assignment is one to one, so it reads the other way round just as well.
    return ious_of_truth(panel.truth, panel.predicted)


def _scaled(item: SeenObject, scale: float) -> Area:
    x, y, width, height = item.bbox
    return (x * scale, y * scale, (x + width) * scale, (y + height) * scale)


def _outline(pen: ImageDraw.ImageDraw, area: Area, colour: Colour, *, dashed: bool) -> None:
    """Draw a box's four edges over a dark halo, which keeps them visible on any background."""
    for width, paint in ((LINE + 2, HALO), (LINE, colour)):
        for start, end in _edges(area):
            pieces = _dashes(start, end) if dashed else [(start, end)]
            for piece in pieces:
                pen.line(piece, fill=paint, width=width)


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


class _Tags:
    """Writes the boxes' labels beside them, where they cover no other label as far as there is such a place."""

    def __init__(self, pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
        self._pen, self._size = pen, size
        self._taken: list[Area] = []

    def write(self, text: str, area: Area, colour: Colour, *, above: bool) -> None:
        """Write one label.

        Args:
            text: The label.
            area: Its box.
            colour: Its ground.
            above: Whether the places above the box are tried before those below.
        """
        shown = _fitting(text, self._size[0])
        width = self._pen.textlength(shown, font=_font()) + 2 * MARGIN
        height = TEXT_SIZE + 2 * MARGIN
        places = [_inside(place, self._size) for place in _places(area, width, height, above=above)]
        place = min(places, key=lambda candidate: sum(_shared(candidate, other) for other in self._taken))
        self._taken.append(place)
        self._pen.rectangle(place, fill=colour)
        self._pen.text((place[0] + MARGIN, place[1] + MARGIN - 1), shown, fill=HALO, font=_font())


def _places(area: Area, width: float, height: float, *, above: bool) -> list[Area]:
    left, top, right, bottom = area
    over = [(left, top - height), (right - width, top - height)]
    under = [(left, bottom), (right - width, bottom)]
    beside = [(right, top), (left - width, top), (right, bottom - height), (left - width, bottom - height)]
    within = [(left, top), (left, bottom - height), (right - width, top), (right - width, bottom - height)]
    corners = [*over, *under, *beside, *within] if above else [*under, *over, *beside, *within]
    return [(x, y, x + width, y + height) for x, y in corners]


def _inside(place: Area, size: tuple[int, int]) -> Area:
    left = min(max(place[0], 0), max(size[0] - (place[2] - place[0]), 0))
    top = min(max(place[1], 0), max(size[1] - (place[3] - place[1]), 0))
    return (left, top, left + place[2] - place[0], top + place[3] - place[1])


def _shared(one: Area, other: Area) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def _legend(pen: ImageDraw.ImageDraw, top: float) -> None:
    middle = top + BAR / 2
    x = float(MARGIN)
    for text, colour, dashed in (
        ("truth", TRUE_COLOUR, False),
        ("predicted, with its IoU", PREDICTED_COLOUR, True),
    ):
        pieces = _dashes((x, middle), (x + 5 * DASH, middle)) if dashed else [((x, middle), (x + 5 * DASH, middle))]
        for piece in pieces:
            pen.line(piece, fill=colour, width=2 * LINE)
        x += 5 * DASH + 2 * MARGIN
        pen.text((x, top + MARGIN), text, fill=INK, font=_font())
        x += pen.textlength(text, font=_font()) + 8 * MARGIN


def _fitting(text: str, width: float) -> str:
    """Return the text, shortened until it fits the width."""
    font = _font()
    text = " ".join(text.split())[:LONGEST_TEXT]
    if font.getlength(text) <= width - 2 * MARGIN:
        return text
    while text and font.getlength(text + "…") > width - 2 * MARGIN:
        text = text[:-1]
    return text + "…"


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # matplotlib ships DejaVu Sans, which has Greek, Cyrillic and Arabic beside Latin; Pillow's own font has not.
    # Its folder is found without importing it, which would take longer than the drawing.
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return ImageFont.load_default(TEXT_SIZE)
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    # Basic layout: the other engine is not in every build of Pillow, and places letters otherwise.
    return ImageFont.truetype(str(path), TEXT_SIZE, layout_engine=ImageFont.Layout.BASIC)
