"""Paint is told from pictures: the sample's painted and clean frames, and pictures made to mislead."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from sam2vlm.annotations import Mask
from sam2vlm.annotations.paint_detection import is_painted, painted_share
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.sample import write_sample

WIDTH, HEIGHT = 160, 120


def frames_of(path, *, jpg):
    for frame in SAM2Parser().parse_zip(path).frames:
        if frame.visible_objects:
            with Image.open(io.BytesIO(frame.read_image())) as picture:
                yield np.asarray(picture.convert("RGB")), [item.mask for item in frame.visible_objects], not jpg


@pytest.mark.parametrize("jpg", [False, True])
@pytest.mark.parametrize("dialect", ["sam2-demo-1.0.0", "coco-compressed"])
def test_painted_frames_are_found_and_clean_ones_are_not(tmp_path, jpg, dialect):
    found = {}
    for paint in (True, False):
        defects = [name for name, wanted in (("painted-overlay", paint), ("jpg-frames", jpg)) if wanted]
        path = tmp_path / f"{paint}.zip"
        write_sample(
            path, frames=6, objects=4, width=200, height=150, seed=21, dialect=dialect, defects=defects, workers=1
        )
        found[paint] = [is_painted(*frame[:2], lossless=frame[2]) for frame in frames_of(path, jpg=jpg)]
    assert len(found[True]) == len(found[False]) >= 5
    assert sum(found[True]) >= (0.8 if jpg else 1) * len(found[True])
    assert sum(found[False]) == 0


def ellipse_mask(box, size=(WIDTH, HEIGHT)):
    drawn = Image.new("1", size)
    ImageDraw.Draw(drawn).ellipse(box, fill=1)
    pixels = np.asfortranarray(np.asarray(drawn), dtype=np.uint8)
    return Mask(size[1], size[0], coco.encode(pixels)["counts"].decode())


def noise():
    return Image.fromarray(np.random.default_rng(2).integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8))


BOX = (40, 30, 110, 90)


def contour(colour, width):
    picture = noise()
    ImageDraw.Draw(picture).ellipse(BOX, outline=colour, width=width)
    return np.asarray(picture)


@pytest.mark.parametrize("colour", ["red", "lime", "blue", "yellow", "magenta", "cyan"])
def test_a_contour_in_each_colour_of_the_palette(colour):
    assert painted_share(contour(colour, 2), [ellipse_mask(BOX)]) == 1.0


def test_a_coarse_mask_of_the_same_object_still_finds_it():
    small = tuple(side / 2 for side in BOX)
    assert is_painted(contour("red", 2), [ellipse_mask(small, (WIDTH // 2, HEIGHT // 2))])


def test_pictures_that_could_mislead():
    mask = ellipse_mask(BOX)
    red = noise()
    ImageDraw.Draw(red).ellipse(BOX, fill="red")
    flat = np.full((HEIGHT, WIDTH, 3), (0, 0, 255), np.uint8)
    half = noise()
    ImageDraw.Draw(half).arc(BOX, 0, 120, fill="red", width=2)
    elsewhere = noise()
    ImageDraw.Draw(elsewhere).ellipse((5, 5, 30, 25), outline="red", width=2)
    for picture in (noise(), red, flat, half, elsewhere):
        assert painted_share(np.asarray(picture), [mask]) == 0.0


def test_what_is_too_small_tells_nothing():
    assert painted_share(contour("red", 2), [ellipse_mask((10, 10, 13, 13))]) is None
    assert painted_share(contour("red", 2), []) is None
    assert not is_painted(contour("red", 2), [])
