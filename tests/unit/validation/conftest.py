"""Small datasets counted by hand."""

from dataclasses import replace

import numpy as np
import pycocotools.mask
import pytest

from sam2vlm.annotations.types import Frame, Mask, ObjectAnnotation, VideoMetadata


def rectangle(x, y, w, h, *, grid=(40, 30)):
    """A mask of grid (width, height) with ones in one rectangle, encoded by pycocotools."""
    pixels = np.zeros((grid[1], grid[0]), np.uint8)
    pixels[y : y + h, x : x + w] = 1
    coded = pycocotools.mask.encode(np.asfortranarray(pixels))
    return Mask(grid[1], grid[0], coded["counts"].decode())


def thing(x=5, y=6, w=10, h=8, *, object_id=1, label="crab", **changes):
    """A visible object of w x h pixels in a frame of 40 x 30."""
    item = ObjectAnnotation(
        object_id=object_id,
        label=label,
        mask=rectangle(x, y, w, h),
        bbox=(float(x), float(y), float(w), float(h)),
        area=float(w * h),
    )
    return replace(item, **changes)


def absent(**changes):
    """An object that is not visible, as the demo tool stores it."""
    item = ObjectAnnotation(1, "crab", None, None, 0.0, stored_bbox=(0.0, 0.0, 0.0, 0.0), stored_area=0.0)
    return replace(item, **changes)


def frame(index, *objects, picture=None, video_id="v"):
    read = None if picture is None else lambda: picture
    return Frame(video_id, index, index / 10, 40, 30, tuple(objects), read_image=read)


def metadata(**changes):
    told = VideoMetadata(
        "v", "clip.mp4", 40, 30, 30.0, 100, 3.3, dialect="coco-compressed", evidence="sizes are stored"
    )
    return replace(told, **changes)


class Made:
    rectangle = staticmethod(rectangle)
    thing = staticmethod(thing)
    absent = staticmethod(absent)
    frame = staticmethod(frame)
    metadata = staticmethod(metadata)

    @staticmethod
    def dataset(*frames, **changes):
        return {"frames": list(frames), "metadata": metadata(**changes)}


@pytest.fixture
def made():
    return Made
