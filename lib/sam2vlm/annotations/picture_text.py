"""Text on pictures: fonts, lines that fit, and labels that cover each other as little as possible."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

from sam2vlm.annotations.overlay import HALO
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from PIL import ImageDraw

    from sam2vlm.annotations.overlay import Area, Colour

__all__ = ["MARGIN", "TEXT_SIZE", "Font", "Tags", "fitting", "lines_of", "missing_letters", "own_font", "picture_font"]

MARGIN = 3
TEXT_SIZE = 14
LONGEST_TEXT = 300
_WORD = re.compile(r"\s*\S+")
# A code point that will never be a character: every font draws it as one that it has not.
_NO_CHARACTER = "\U0010ffff"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@functools.cache
def picture_font(size: int = TEXT_SIZE, path: Path | None = None) -> Font:
    """Return a font for labels and sentences.

    Args:
        size: Height in pixels.
        path: A TrueType or OpenType file. None takes matplotlib's DejaVu Sans where it is installed, which has Greek,
            Cyrillic and Arabic beside Latin, and else Pillow's own, which has Latin.

    Raises:
        SettingsError: The file is no font.
    """
    if path is None:
        # Its folder is found without importing it, which would take longer than the drawing.
        found = importlib.util.find_spec("matplotlib")
        if found is None or found.origin is None:
            return own_font(size)
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    try:
        # Basic layout: the other engine is not in every build of Pillow, and places letters otherwise.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        raise SettingsError("is no font", source=path, expected="a TrueType or OpenType file") from None


@functools.cache
def own_font(size: int = TEXT_SIZE) -> Font:
    """Return Pillow's own font: Latin letters and digits, and the same bytes whatever else is installed."""
    return ImageFont.load_default(size)


def fitting(text: str, width: float, font: Font) -> str:
    """Return the text on one line, shortened until it fits a width in pixels, margins included."""
    text = " ".join(text.split())[:LONGEST_TEXT]
    if font.getlength(text) <= width - 2 * MARGIN:
        return text
    while text and font.getlength(text + "…") > width - 2 * MARGIN:
        text = text[:-1]
    return text + "…"


def lines_of(text: str, width: float, font: Font) -> list[str]:
    """Return the text in lines that fit a width in pixels; they break at blanks, and inside of words that are longer.

    Args:
        text: Its own line breaks are kept.
        width: In pixels.
        font: Of the text.
    """
    lines = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in _WORD.findall(paragraph):
            if font.getlength((line + word).rstrip()) <= width:
                line += word
                continue
            if line.strip():
                lines.append(line.rstrip())
            *whole, line = _broken(word.lstrip() if line.strip() else word, width, font)
            lines += whole
        lines.append(line.rstrip())
    return lines


def missing_letters(text: str, font: Font) -> str:
    """Return the characters that a font has no picture of, each once, in order."""
    blank = _glyph(_NO_CHARACTER, font)
    return "".join(sorted({letter for letter in text if letter.isprintable() and _glyph(letter, font) == blank}))


class Tags:
    """Writes labels beside their boxes, where they cover no other label as far as there is such a place.

    Args:
        pen: Of the picture.
        size: Width and height of the picture in pixels.
        font: Of the labels.
    """

    def __init__(self, pen: ImageDraw.ImageDraw, size: tuple[int, int], font: Font | None = None) -> None:
        self._pen, self._size = pen, size
        self._font = font or picture_font()
        self._taken: list[Area] = []

    def write(self, text: str, area: Area, colour: Colour, *, above: bool) -> None:
        """Write one label.

        Args:
            text: The label.
            area: Its box.
            colour: Its ground.
            above: Whether the places above the box are tried before those below.
        """
        shown = fitting(text, self._size[0], self._font)
        width = self._pen.textlength(shown, font=self._font) + 2 * MARGIN
        height = TEXT_SIZE + 2 * MARGIN
        places = [_inside(place, self._size) for place in _places(area, width, height, above=above)]
        place = min(places, key=lambda candidate: sum(_shared(candidate, other) for other in self._taken))
        self._taken.append(place)
        self._pen.rectangle(place, fill=colour)
        self._pen.text((place[0] + MARGIN, place[1] + MARGIN - 1), shown, fill=HALO, font=self._font)


def _broken(word: str, width: float, font: Font) -> list[str]:
    pieces, piece = [], ""
    for letter in word:
        if piece and font.getlength(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def _glyph(letter: str, font: Font) -> tuple[tuple[int, int], bytes]:
    drawn = font.getmask(letter)
    return drawn.size, bytes(drawn)


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
