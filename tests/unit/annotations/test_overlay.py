"""What is drawn lies where it should, whatever the sizes of mask, frame and picture."""

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sam2vlm.annotations import Mask
from sam2vlm.annotations.overlay import BLUE, HALO, ORANGE, draw_mask, mask_picture, outline_area, scaled_area
from sam2vlm.errors import DataError

GREY = (90, 90, 90)


def encoded(pixels):
    coded = pycocotools.mask.encode(np.asfortranarray(pixels))
    return Mask(*pixels.shape, coded["counts"].decode())


def block(height, width, rows, columns):
    pixels = np.zeros((height, width), np.uint8)
    pixels[slice(*rows), slice(*columns)] = 1
    return encoded(pixels)


def blank(width, height):
    return Image.new("RGB", (width, height), GREY)


def test_a_mask_is_outlined_around_its_own_pixels():
    picture = blank(40, 30)
    draw_mask(picture, block(30, 40, (10, 20), (5, 25)), ORANGE, width=2)
    shown = np.asarray(picture)
    own = shown[10:20, 5:25].reshape(-1, 3)
    assert {tuple(pixel) for pixel in own.tolist()} == {GREY}, "nothing of the object is covered"
    assert {tuple(pixel) for pixel in shown[8:10, 3:27].reshape(-1, 3).tolist()} == {ORANGE}
    assert {tuple(pixel) for pixel in shown[7, 2:28].tolist()} == {HALO}
    assert {tuple(pixel) for pixel in shown[:7].reshape(-1, 3).tolist()} == {GREY}


def test_a_tint_is_a_share_of_the_colour():
    picture = blank(40, 30)
    draw_mask(picture, block(30, 40, (10, 20), (5, 25)), (190, 90, 90), tint=0.5)
    assert picture.getpixel((10, 15)) == (140, 90, 90)
    assert picture.getpixel((35, 25)) == GREY


def test_a_coarse_grid_spans_the_frame():
    # 4 x 4 cells over 400 x 200 pixels: the mask's right half is the picture's.
    shown = np.asarray(mask_picture(block(4, 4, (0, 4), (2, 4)), (400, 200)))
    assert shown.shape == (200, 400)
    assert shown[:, 210:].all()
    assert not shown[:, :190].any()


def test_a_part_of_the_frame_shows_that_part_of_the_mask():
    mask = block(100, 100, (40, 60), (40, 60))
    shown = np.asarray(mask_picture(mask, (50, 50), part=(0.5, 0.5, 1.0, 1.0)))
    assert shown[:9, :9].all()
    assert not shown[12:].any()
    picture = blank(50, 50)
    draw_mask(picture, mask, BLUE, part=(0.7, 0.7, 1.0, 1.0))
    assert set(picture.get_flattened_data()) == {GREY}, "nothing of it is in this part"


def test_a_single_pixel_is_seen_in_a_small_picture():
    picture = blank(80, 60)
    draw_mask(picture, block(600, 800, (300, 301), (400, 401)), ORANGE)
    assert ORANGE in set(picture.get_flattened_data())


@settings(max_examples=40, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 999),
)
def test_only_the_surroundings_of_a_mask_change(grid, size, seed):
    pixels = (np.random.default_rng(seed).random(grid) < 0.2).astype(np.uint8)
    picture = blank(*size)
    draw_mask(picture, encoded(pixels), ORANGE, width=2)
    changed = (np.asarray(picture) != GREY).any(axis=2)
    if not pixels.any():
        assert not changed.any()
        return
    rows, columns = np.nonzero(pixels)
    scale = size[1] / grid[0], size[0] / grid[1]
    # Resampling reaches half a cell, or half a pixel, beyond the mask; the lines three pixels more.
    reach = [4 + max(part, 1) for part in scale]
    ys, xs = np.nonzero(changed)
    if ys.size:
        assert ys.min() >= rows.min() * scale[0] - reach[0]
        assert ys.max() <= (rows.max() + 1) * scale[0] + reach[0]
        assert xs.min() >= columns.min() * scale[1] - reach[1]
        assert xs.max() <= (columns.max() + 1) * scale[1] + reach[1]


@pytest.mark.parametrize("counts", ["0", "1", "~~"])
def test_a_broken_mask_is_refused(counts):
    with pytest.raises(DataError):
        draw_mask(blank(20, 20), Mask(20, 20, counts), ORANGE)


def test_boxes_are_scaled_and_dashes_leave_gaps():
    assert scaled_area((2.0, 3.0, 10.0, 5.0), 2.0) == (4.0, 6.0, 24.0, 16.0)
    whole, dashed = blank(100, 100), blank(100, 100)
    outline_area(ImageDraw.Draw(whole), (10, 10, 90, 90), BLUE)
    outline_area(ImageDraw.Draw(dashed), (10, 10, 90, 90), BLUE, dashed=True)
    edges = [[picture.getpixel((x, 10)) for x in range(12, 89)] for picture in (whole, dashed)]
    assert set(edges[0]) == {BLUE}
    assert 0.4 < edges[1].count(BLUE) / len(edges[1]) < 0.7
    assert whole.getpixel((50, 50)) == GREY
