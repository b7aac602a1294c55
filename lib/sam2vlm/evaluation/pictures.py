"""Overlay pictures: one frame, side by side for each model, with the true and the predicted boxes.

True boxes are blue and solid, predicted ones orange and dashed: the two differ in colour, in brightness and in
form, so that they can be told apart by everybody and in print. Equal input gives equal bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sam2vlm.annotations.overlay import BLUE, DASH, ORANGE, draw_line, outline_area, scaled_area
from sam2vlm.annotations.picture_text import MARGIN, Tags, fitting, picture_font
from sam2vlm.evaluation.matching import ious_of_truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = ["Panel", "draw_case"]

PANEL_WIDTH = 560
MOST_ENLARGEMENT = 4.0
BAR = 26
GAP = 8
LINE = 3
NAMELESS = "(no label)"

TRUE_COLOUR = BLUE
PREDICTED_COLOUR = ORANGE
PAPER = (255, 255, 255)
INK = (24, 26, 32)


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
        pen.text((left + MARGIN, MARGIN), fitting(panel.title, width, picture_font()), fill=INK, font=picture_font())
        sheet.paste(_overlaid(frame, panel, scale), (left, BAR))
    _legend(pen, BAR + height)
    pen.text(
        (MARGIN, height + 2 * BAR + MARGIN),
        fitting(caption, sheet.width, picture_font()),
        fill=INK,
        font=picture_font(),
    )
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _overlaid(frame: Image.Image, panel: Panel, scale: float) -> Image.Image:
    picture = frame.copy()
    pen = ImageDraw.Draw(picture)
    truth = [scaled_area(item.bbox, scale) for item in panel.truth]
    predicted = [scaled_area(item.bbox, scale) for item in panel.predicted]
    for area in truth:
        outline_area(pen, area, TRUE_COLOUR)
    for area in predicted:
        outline_area(pen, area, PREDICTED_COLOUR, dashed=True)
    tags = Tags(pen, picture.size)
    for item, area in zip(panel.truth, truth, strict=True):
        tags.write(item.label or NAMELESS, area, TRUE_COLOUR, above=True)
    for item, area, iou in zip(panel.predicted, predicted, _ious(panel), strict=True):
        tags.write(f"{item.label or NAMELESS} {iou:.2f}", area, PREDICTED_COLOUR, above=False)
    return picture


def _ious(panel: Panel) -> list[float]:
    # The assignment is one to one, so it reads the other way round just as well.
    return ious_of_truth(panel.truth, panel.predicted)


def _legend(pen: ImageDraw.ImageDraw, top: float) -> None:
    middle = top + BAR / 2
    x = float(MARGIN)
    for text, colour, dashed in (
        ("truth", TRUE_COLOUR, False),
        ("predicted, with its IoU", PREDICTED_COLOUR, True),
    ):
        draw_line(pen, (x, middle), (x + 5 * DASH, middle), colour, dashed=dashed, width=2 * LINE)
        x += 5 * DASH + 2 * MARGIN
        pen.text((x, top + MARGIN), text, fill=INK, font=picture_font())
        x += pen.textlength(text, font=picture_font()) + 8 * MARGIN
