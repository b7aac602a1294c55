"""Frames of boxes that tests place by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sam2vlm.annotations import Frame, Mask, ObjectAnnotation
from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import runs_from_pixels

WIDTH, HEIGHT = 120, 80


def mask_of(pixels: np.ndarray) -> Mask:
    height, width = pixels.shape
    mask = mask_from_runs(runs_from_pixels(pixels, "F"), height, width)
    assert mask is not None
    return mask


@pytest.fixture(scope="session")
def thing():
    """One object, a filled box on the frame's own grid; a box of None is not visible."""

    def make(object_id, label, box, *, pixels=None, width=WIDTH, height=HEIGHT):
        if box is None and pixels is None:
            return ObjectAnnotation(object_id, label, None, None, 0.0)
        if pixels is None:
            pixels = np.zeros((height, width), np.uint8)
            x, y, w, h = box
            pixels[y : y + h, x : x + w] = 1
        rows, columns = np.nonzero(pixels)
        x, y = int(columns.min()), int(rows.min())
        own = (x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y)
        return ObjectAnnotation(object_id, label, mask_of(pixels), own, float(pixels.sum()))

    return make


@pytest.fixture(scope="session")
def frame_of():
    """A frame of objects."""

    def make(*objects, index=0, video="v", width=WIDTH, height=HEIGHT, seconds=None):
        return Frame(video, index, index / 10 if seconds is None else seconds, width, height, objects)

    return make
