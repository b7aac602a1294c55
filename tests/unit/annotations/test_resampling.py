"""A mask on another grid, against the same done pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.coco_rle import decode_mask, mask_from_runs
from sam2vlm.annotations.resampling import resampled_masks
from sam2vlm.annotations.runs import runs_from_pixels

sides = st.integers(1, 24)


def resampled_mask(mask, height, width):
    (found,) = resampled_masks([mask], height, width)
    return found


def mask_of(pixels):
    return mask_from_runs(runs_from_pixels(pixels, "F"), *pixels.shape)


@settings(max_examples=150)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(0, 2**31), st.floats(0.02, 1))
def test_every_pixel_is_that_under_its_middle(old, new, seed, share):
    (old_height, old_width), (height, width) = old, new
    pixels = (np.random.default_rng(seed).random((old_height, old_width)) < share).astype(np.uint8)
    if not pixels.any():
        pixels[0, 0] = 1
    found = decode_mask(resampled_mask(mask_of(pixels), height, width))
    rows = [int((row + 0.5) * old_height / height) for row in range(height)]
    columns = [int((column + 0.5) * old_width / width) for column in range(width)]
    expected = pixels[np.ix_(rows, columns)]
    if expected.any():
        assert (found == expected).all()
    else:
        assert found.sum() == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(sides, sides, st.integers(0, 2**31), st.floats(0, 1)), max_size=5), st.tuples(sides, sides))
def test_several_masks_together_are_each_one_alone(masks, new):
    made = []
    for height, width, seed, share in masks + masks[:1]:
        pixels = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
        pixels[-1, -1] = 1  # so that one mask's last stretch lies beside the next one's first
        made.append(mask_of(pixels))
    assert resampled_masks(made, *new) == [resampled_mask(mask, *new) for mask in made]


def test_a_mask_of_this_grid_comes_back_as_it_is():
    mask = mask_of(np.eye(4, dtype=np.uint8))
    assert resampled_mask(mask, 4, 4) is mask


def test_twice_as_large_is_four_times_the_pixels():
    pixels = np.zeros((3, 5), np.uint8)
    pixels[1, 2:4] = 1
    found = decode_mask(resampled_mask(mask_of(pixels), 6, 10))
    assert (found == np.kron(pixels, np.ones((2, 2), np.uint8))).all()


@pytest.mark.parametrize(("place", "expected"), [((0, 0), (0, 0)), ((255, 255), (7, 11)), ((128, 64), (4, 3))])
def test_a_mask_smaller_than_a_pixel_keeps_the_one_under_its_middle(place, expected):
    pixels = np.zeros((256, 256), np.uint8)
    pixels[place] = 1
    found = decode_mask(resampled_mask(mask_of(pixels), 8, 12))
    assert found.sum() == 1
    assert found[expected] == 1
