import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco

from sam2vlm.sample.masks import box_of, compressed_counts, logits, row_major_counts, runs, upsampled
from sam2vlm.sample.png import png_bytes
from sam2vlm.sample.seeding import stream

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks)
def test_runs_read_back_to_the_mask_and_begin_with_zeros(mask):
    counts = runs(mask.ravel())
    assert (np.repeat(np.arange(len(counts)) % 2, counts) == mask.ravel()).all()
    assert all(count > 0 for count in counts[1:])
    assert row_major_counts(mask) == " ".join(str(count) for count in counts)


@given(masks)
def test_column_runs_and_boxes_are_those_of_pycocotools(mask):
    height, width = mask.shape
    stored = {"size": [height, width], "counts": runs(mask.ravel(order="F"))}
    packed = coco.frPyObjects(stored, height, width)
    assert packed["counts"].decode() == compressed_counts(mask)
    assert list(box_of(mask)) == list(coco.toBbox(packed))


def test_runs_by_hand():
    mask = np.array([[1, 1, 0], [0, 0, 1]], dtype=bool)
    assert row_major_counts(mask) == "0 2 3 1"
    assert row_major_counts(np.zeros((256, 256), dtype=bool)) == "65536"
    assert box_of(mask) == (0, 0, 3, 2)


def test_logits_follow_the_object_with_a_ragged_edge():
    owners = Image.new("L", (854, 480))
    owners.paste(3, (200, 100, 500, 300))
    field = logits(owners, 3, stream(0, "test"))
    mask = field > 0
    truth = np.zeros((256, 256), dtype=bool)
    truth[round(100 * 256 / 480) : round(300 * 256 / 480), round(200 * 256 / 854) : round(500 * 256 / 854)] = True
    iou = (mask & truth).sum() / (mask | truth).sum()
    assert 0.93 < iou < 1.0
    assert not (logits(owners, 2, stream(0, "test")) > 0).any()
    assert abs(upsampled(field, 854, 480).sum() - 300 * 200) < 0.05 * 300 * 200


@settings(max_examples=40)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_pillow_reads_our_png_back(pixels):
    with Image.open(io.BytesIO(png_bytes(Image.fromarray(pixels)))) as picture:
        assert picture.mode == "RGB"
        assert (np.asarray(picture) == pixels).all()
