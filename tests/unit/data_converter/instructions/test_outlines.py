"""Outlines of few points: inside of their bound, with the mask's own box, and a cost that another tool measures too."""

from __future__ import annotations

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter.instructions.outlines import simple_outline


def mask_of(pixels):
    return mask_from_runs(runs_from_pixels(pixels, "F"), *pixels.shape)


def disc(width=90, height=70, *, radius=30, middle=(45, 35)):
    rows, columns = np.mgrid[:height, :width]
    return ((columns - middle[0]) ** 2 + (rows - middle[1]) ** 2 <= radius**2).astype(np.uint8)


def test_a_box_is_its_four_corners_exactly():
    pixels = np.zeros((20, 30), np.uint8)
    pixels[5:12, 4:25] = 1
    outline = simple_outline(mask_of(pixels), max_points=4)
    assert set(outline.points) == {(4.0, 5.0), (25.0, 5.0), (25.0, 12.0), (4.0, 12.0)}
    assert outline.iou == 1.0
    assert set(zip(*[iter(outline.scaled(mask_of(pixels), 60, 200))] * 2, strict=True)) == {
        (8.0, 50.0),
        (50.0, 50.0),
        (50.0, 120.0),
        (8.0, 120.0),
    }


@pytest.mark.parametrize(("points", "iou"), [(8, 0.89), (16, 0.96), (64, 0.985)])
def test_more_points_cost_less(points, iou):
    outline = simple_outline(mask_of(disc()), max_points=points)
    assert len(outline.points) <= points
    assert outline.iou > iou


def test_the_cost_is_what_pillow_draws():
    mask, pixels = mask_of(disc()), disc()
    outline = simple_outline(mask, max_points=12)
    # Sixteen times as fine, so that each drawer's rule for the border matters little.
    canvas = Image.new("1", (90 * 16, 70 * 16))
    ImageDraw.Draw(canvas).polygon([(x * 16, y * 16) for x, y in outline.points], fill=1)
    drawn = np.asarray(canvas).reshape(70, 16, 90, 16).mean((1, 3)) >= 0.5
    iou = (drawn & (pixels > 0)).sum() / (drawn | (pixels > 0)).sum()
    assert outline.iou == pytest.approx(iou, abs=0.02)


def test_a_mask_in_parts_has_no_one_outline():
    pixels = np.zeros((40, 60), np.uint8)
    pixels[5:20, 5:20] = pixels[5:20, 40:55] = 1
    assert simple_outline(mask_of(pixels), max_points=24) is None
    # A speck inside of the box of the rest is left out, and costs; outside of it the box would be another.
    speck = disc()
    speck[10, 20] = 1
    assert simple_outline(mask_of(speck), max_points=64).iou < 1
    speck[0, 0] = 1
    assert simple_outline(mask_of(speck), max_points=64) is None


def test_a_hole_is_filled_and_costs():
    pixels = disc()
    pixels[25:45, 35:55] = 0
    outline = simple_outline(mask_of(pixels), max_points=64)
    assert outline.iou == pytest.approx(pixels.sum() / disc().sum(), abs=0.02)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 36)] * 4), min_size=1, max_size=5), st.integers(4, 40))
def test_the_bound_and_the_box_hold_for_any_mask(boxes, points):
    pixels = np.zeros((48, 48), np.uint8)
    for x, y, w, h in boxes:
        pixels[y : y + 1 + h // 3, x : x + 1 + w // 3] = 1
    mask = mask_of(pixels)
    outline = simple_outline(mask, max_points=points)
    if outline is None:
        return
    assert 3 <= len(outline.points) <= points
    xs, ys = zip(*outline.points, strict=True)
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    assert box == tuple(pycocotools.mask.toBbox(mask.coco()))
    assert 0 <= outline.iou <= 1
