"""A frame with the dataset's objects and, in another line style, the boxes that were read back from the texts."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sam2vlm.annotations.overlay import BLUE, ORANGE, draw_line, draw_mask, outline_area, scaled_area
from sam2vlm.annotations.picture_text import Tags

if TYPE_CHECKING:
    from sam2vlm.annotations.picture_text import Font
    from sam2vlm.modeling.preview.samples import PreviewSample

__all__ = ["OVERLAY_LEGEND", "draw_sample"]

#: Text, whether it is the dataset's own, whether dashed.
OVERLAY_LEGEND = (("the dataset's masks, boxes and labels", False), ("read back from question and answer", True))
MOST_ENLARGEMENT = 4.0
NAMELESS = "(no label)"


def draw_sample(sample: PreviewSample, *, width: int, font: Font) -> Image.Image:
    """Draw a sample.

    The dataset's masks and boxes are blue and solid, what was read back is orange and dashed: a coordinate that is
    written wrongly lies beside its object.

    Args:
        sample: What to draw.
        width: Of the picture in pixels; a small frame is enlarged at most four times.
        font: Of the labels.

    Raises:
        DataError: A mask is not what the prepare phase wrote.
    """
    frame = sample.image
    scale = min(width / frame.width, MOST_ENLARGEMENT)
    size = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    picture = frame.resize(size, Image.Resampling.BICUBIC)
    for item in sample.objects:
        draw_mask(picture, item.mask, BLUE, width=1)
    pen = ImageDraw.Draw(picture)
    for item in sample.objects:
        outline_area(pen, scaled_area(item.bbox, scale), BLUE, width=2)
    # Several questions name one box; drawn twice, its dashes would still be the same.
    for box in dict.fromkeys(found.bbox for turn in sample.turns for found in turn.boxes):
        outline_area(pen, scaled_area(box, scale), ORANGE, dashed=True, width=2)
    for outline in (shape for turn in sample.turns for shape in turn.outlines):
        points = [(x * scale, y * scale) for x, y in outline.points]
        for start, end in itertools.pairwise([*points, points[0]]):
            draw_line(pen, start, end, ORANGE, width=2)
    tags = Tags(pen, picture.size, font)
    for item in sample.objects:
        tags.write(item.label or NAMELESS, scaled_area(item.bbox, scale), BLUE, above=True)
    return picture
