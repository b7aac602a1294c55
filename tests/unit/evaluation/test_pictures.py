"""Overlay pictures: the right pixels have the right colours, and equal input gives equal bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.pictures import BAR, PREDICTED_COLOUR, TRUE_COLOUR, Panel, draw_case

TRUTH = [SeenObject("fish", (40.0, 30.0, 60.0, 50.0))]
GUESS = [SeenObject("crab", (120.0, 60.0, 60.0, 40.0))]


def drawn(width, height, *panels):
    content = draw_case(Image.new("RGB", (width, height), (90, 90, 90)), panels, caption="worst 1: video/000007")
    return content, Image.open(io.BytesIO(content)).convert("RGB")


def test_boxes_are_drawn_where_they_are_at_the_scale_of_the_picture():
    # 280 pixels are shown twice as large, below a bar of text.
    _, picture = drawn(280, 160, Panel("tuned", TRUTH, GUESS))
    assert picture.size == (560, 320 + 3 * BAR)
    assert picture.getpixel((2 * 40, BAR + 2 * 55)) == TRUE_COLOUR
    assert picture.getpixel((2 * 100, BAR + 2 * 55)) == TRUE_COLOUR
    edge = [picture.getpixel((2 * 120, BAR + y)) for y in range(2 * 60, 2 * 100)]
    assert PREDICTED_COLOUR in edge
    assert (90, 90, 90) in edge, "predicted boxes are dashed"
    assert picture.getpixel((2 * 70, BAR + 2 * 55)) == (90, 90, 90)


def test_panels_stand_side_by_side():
    _, picture = drawn(280, 160, Panel("base", TRUTH, []), Panel("tuned", TRUTH, []))
    left = picture.getpixel((2 * 40, BAR + 2 * 55))
    assert left == TRUE_COLOUR == picture.getpixel((560 + 8 + 2 * 40, BAR + 2 * 55))


def test_equal_input_gives_equal_bytes():
    assert drawn(280, 160, Panel("tuned", TRUTH, GUESS))[0] == drawn(280, 160, Panel("tuned", TRUTH, GUESS))[0]


@pytest.mark.parametrize("size", [(16, 16), (90, 1200), (4000, 300), (1, 1)])
def test_any_size_can_be_shown(size):
    _, picture = drawn(*size, Panel("tuned", [SeenObject("fish", (0.0, 0.0, *map(float, size)))], []))
    assert picture.width <= 560


def test_any_label_can_be_shown():
    labels = ["", "a label that is much longer than the whole picture is wide " * 3, "رنگ", "краб", "鱼", "a\nb"]
    objects = [SeenObject(label, (10.0, 10.0, 0.0, 0.0)) for label in labels]
    _, picture = drawn(280, 160, Panel("tuned", objects, objects))
    assert picture.width == 560


def coloured(picture):
    """Pixels of the truth's colour."""
    return list(picture.crop((0, BAR, 560, BAR + 320)).get_flattened_data()).count(TRUE_COLOUR)


def test_labels_do_not_cover_each_other_where_there_is_room():
    beside = [SeenObject("fish", (100.0, 60.0, 60.0, 40.0)), SeenObject("crab", (100.0, 60.0, 60.0, 40.0))]
    _, picture = drawn(280, 160, Panel("tuned", beside, []))
    ground = coloured(picture)
    _, single = drawn(280, 160, Panel("tuned", beside[:1], []))
    assert ground > coloured(single) + 500
