"""A contact sheet: each frame with its overlays, and its conversations beside it, as one PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sam2vlm.annotations.overlay import BLUE, DASH, ORANGE, draw_line
from sam2vlm.annotations.picture_text import fitting, lines_of, picture_font
from sam2vlm.modeling.preview.overlays import OVERLAY_LEGEND, draw_sample
from sam2vlm.modeling.preview.words import read_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sam2vlm.annotations.overlay import Colour
    from sam2vlm.annotations.picture_text import Font
    from sam2vlm.modeling.preview.samples import PreviewSample

__all__ = ["preview_sheet"]

PICTURE = 440
TEXT = 400
GAP = 16
LINE = 20
COLUMNS = 2
#: A conversation longer than this is cut, and the sheet says so.
MOST_LINES = 60
PAPER: Colour = (255, 255, 255)
INK: Colour = (22, 24, 29)
SOFT: Colour = (84, 91, 104)
QUESTION: Colour = (11, 87, 176)
WRONG: Colour = (179, 38, 30)
RULE: Colour = (213, 217, 224)

Line = tuple[str, "Colour"]


@dataclass(frozen=True, slots=True)
class _Cell:
    picture: Image.Image
    lines: Sequence[Line]

    @property
    def height(self) -> int:
        return max(self.picture.height, LINE * len(self.lines))


def preview_sheet(samples: Sequence[PreviewSample], *, title: str, written_as: str, font: Path | None = None) -> bytes:
    """Draw the contact sheet.

    Args:
        samples: What to show.
        title: Stands above.
        written_as: How the boxes are written, in words.
        font: A TrueType or OpenType file; None takes one with Latin, Greek, Cyrillic and Arabic where it is there.

    Returns:
        A PNG file; equal input gives equal bytes.

    Raises:
        DataError: A mask is not what the prepare phase wrote.
        SettingsError: The file is no font.
    """
    face = picture_font(path=font)
    cells = [_Cell(draw_sample(sample, width=PICTURE, font=face), _lines(sample, face)) for sample in samples]
    columns = min(COLUMNS, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = columns * (PICTURE + TEXT + 3 * GAP) + GAP
    header = [fitting(title, width, face), fitting(f"Boxes as text: {written_as}", width, face)]
    top = GAP + LINE * (len(header) + 1) + GAP
    height = top + sum(max(cell.height for cell in row) + 2 * GAP for row in rows)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, text in enumerate(header):
        pen.text((GAP, GAP + place * LINE), text, fill=SOFT if place else INK, font=face)
    _draw_legend(pen, GAP + len(header) * LINE, face)
    for row in rows:
        pen.line((0, top - GAP, width, top - GAP), fill=RULE)
        for column, cell in enumerate(row):
            _draw_cell(sheet, cell, GAP + column * (PICTURE + TEXT + 3 * GAP), top, face)
        top += max(cell.height for cell in row) + 2 * GAP
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _lines(sample: PreviewSample, font: Font) -> list[Line]:
    lines = list(_conversation(sample, font))
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], (f"... and {len(lines) - MOST_LINES + 1} more lines", SOFT)]
    return lines


def _conversation(sample: PreviewSample, font: Font) -> Iterator[Line]:
    yield from ((line, SOFT) for line in lines_of(sample.sample_id, TEXT, font))
    for turn in sample.turns:
        yield from ((line, QUESTION) for line in lines_of(f"{turn.task}: {turn.prompt}", TEXT, font))
        yield from ((line, INK) for line in lines_of(turn.answer, TEXT, font))
        said, wrong = read_back(turn)
        if said:
            yield from ((line, WRONG if wrong else SOFT) for line in lines_of(said, TEXT, font))
        yield "", INK


def _draw_cell(sheet: Image.Image, cell: _Cell, left: int, top: int, font: Font) -> None:
    sheet.paste(cell.picture, (left, top))
    pen = ImageDraw.Draw(sheet)
    for place, (text, colour) in enumerate(cell.lines):
        pen.text((left + PICTURE + GAP, top + place * LINE), text, fill=colour, font=font)


def _draw_legend(pen: ImageDraw.ImageDraw, top: int, font: Font) -> None:
    x = float(GAP)
    for (text, dashed), colour in zip(OVERLAY_LEGEND, (BLUE, ORANGE), strict=True):
        middle = top + LINE / 2
        draw_line(pen, (x, middle), (x + 4 * DASH, middle), colour, dashed=dashed, width=4)
        x += 5 * DASH
        pen.text((x, top), text, fill=INK, font=font)
        x += pen.textlength(text, font=font) + 2 * GAP
