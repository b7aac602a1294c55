"""Every dialect that is known, and every ambiguity that is refused."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations.coco_rle import decode_mask
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter.dialects import (
    BARE_COUNTS,
    COCO_COMPRESSED,
    COCO_UNCOMPRESSED,
    LOGITS_COLUMN_MAJOR,
    SAM2_DEMO,
    MaskReader,
)
from sam2vlm.errors import DataError, SettingsError

FRAME = (12, 7)
masks = hnp.arrays(np.uint8, (7, 12), elements=st.sampled_from([0, 1]))


def text_of(mask, order):
    return " ".join(map(str, runs_from_pixels(mask, order)))


def grid(x, y, w, h):
    mask = np.zeros((256, 256), np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def check(decoded, mask, dialect):
    assert decoded.dialect == dialect
    assert decoded.area == mask.sum()
    assert (decoded.height, decoded.width) == mask.shape
    assert (decoded.mask is None) == (not mask.any())
    if decoded.mask is not None:
        assert np.array_equal(decode_mask(decoded.mask), mask)
        assert decoded.box == tuple(pycocotools.mask.toBbox(decoded.mask.coco()))


@given(masks)
def test_coco_string_and_list_and_bare_counts_of_one_mask_are_the_same(mask):
    coded = pycocotools.mask.encode(np.asfortranarray(mask))
    runs = runs_from_pixels(mask, "F").tolist()
    read = MaskReader().read
    check(read({"size": [7, 12], "counts": coded["counts"].decode()}, FRAME), mask, COCO_COMPRESSED)
    check(read({"size": [7, 12], "counts": runs}, FRAME), mask, COCO_UNCOMPRESSED)
    check(read(runs, FRAME), mask, BARE_COUNTS)
    check(read(text_of(mask, "F"), FRAME), mask, BARE_COUNTS)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(1, 256), st.integers(1, 256))
def test_the_demo_tools_strings_are_row_major_on_its_grid(x, y, w, h):
    mask = grid(x, y, w, h)
    check(MaskReader(demo_tool=True).read(text_of(mask, "C"), FRAME), mask, SAM2_DEMO)
    check(MaskReader(dialect=SAM2_DEMO).read(text_of(mask, "C"), FRAME), mask, SAM2_DEMO)
    check(MaskReader(dialect=LOGITS_COLUMN_MAJOR).read(text_of(mask, "F"), FRAME), mask, LOGITS_COLUMN_MAJOR)


def test_an_absent_object_of_the_demo_tool_is_not_visible():
    decoded = MaskReader(demo_tool=True).read("65536", FRAME)
    assert (decoded.mask, decoded.box, decoded.area) == (None, None, 0)


def test_a_sum_of_the_grid_without_a_known_exporter_is_refused_and_the_way_out_is_named():
    text = text_of(grid(10, 20, 30, 40), "C")
    with pytest.raises(DataError, match=r"set the dialect to sam2-demo-1\.0\.0 .* or to logits-column-major") as told:
        MaskReader().read(text, FRAME)
    assert told.value.expected == "runs that add up to 84 (12 x 7)"
    assert told.value.found == "a sum of 65536"
    with pytest.raises(DataError, match="set the dialect"):
        MaskReader().read([int(run) for run in text.split()], FRAME)


def test_on_a_frame_of_the_grids_own_size_bare_counts_are_column_major():
    mask = grid(10, 20, 30, 40)
    check(MaskReader().read(text_of(mask, "F"), (256, 256)), mask, BARE_COUNTS)


def test_a_list_is_not_what_the_demo_tool_writes():
    mask = grid(10, 20, 30, 40)
    with pytest.raises(DataError, match="set the dialect"):
        MaskReader(demo_tool=True).read(runs_from_pixels(mask, "C").tolist(), FRAME)


@pytest.mark.parametrize(
    ("demo_tool", "value", "expected", "found"),
    [
        (True, "10 20 30", "65536 (256 x 256)", "a sum of 60"),
        (False, "10 20 30", "84 (12 x 7)", "a sum of 60"),
        (False, [10, 20, 30], "84 (12 x 7)", "a sum of 60"),
        (False, {"size": [7, 12], "counts": [10, 20, 30]}, "84 (12 x 7)", "a sum of 60"),
    ],
)
def test_a_sum_that_fits_nothing_names_both_numbers(demo_tool, value, expected, found):
    with pytest.raises(DataError) as told:
        MaskReader(demo_tool=demo_tool).read(value, FRAME)
    assert (told.value.expected, told.value.found) == (expected, found)


def test_a_string_that_covers_the_frame_is_not_what_the_demo_tool_writes():
    with pytest.raises(DataError, match="set the dialect to bare-counts") as told:
        MaskReader(demo_tool=True).read("80 2 2", FRAME)
    assert told.value.found == "a sum of 84 (12 x 7)"
    assert MaskReader(demo_tool=True, dialect=BARE_COUNTS).read("80 2 2", FRAME).box == (11, 3, 1, 2)


@pytest.mark.parametrize("value", [3, 1.5, True, "", [], {}, "a b", [[1, 2, 3]], {"size": [7, 12]}])
def test_what_is_no_mask_is_refused(value):
    with pytest.raises(DataError):
        MaskReader().read(value, FRAME)


def test_a_forced_dialect_refuses_the_others():
    with pytest.raises(DataError, match="expected coco-compressed, as set; found coco-uncompressed"):
        MaskReader(dialect=COCO_COMPRESSED).read({"size": [7, 12], "counts": [84]}, FRAME)
    with pytest.raises(DataError, match="expected coco-compressed, as set; found counts without a size"):
        MaskReader(dialect=COCO_COMPRESSED).read("84", FRAME)


def test_an_unknown_dialect_is_a_wrong_setting():
    with pytest.raises(SettingsError, match=r"expected auto or sam2-demo-1\.0\.0 or .*; found yolo"):
        MaskReader(dialect="yolo")
