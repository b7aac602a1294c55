"""COCO's encoding against pycocotools."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations.coco_rle import counts_from_runs, decode_mask, mask_from_runs, read_coco, runs_from_counts
from sam2vlm.annotations.runs import MAX_GRID_PIXELS, runs_area, runs_box, runs_from_pixels
from sam2vlm.errors import DataError

SAV = Path(__file__).parents[3].parent / "shared" / "data" / "sav_000001_manual.json"
masks = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40), elements=st.sampled_from([0, 1])
)


def encoded(mask):
    return pycocotools.mask.encode(np.asfortranarray(mask))["counts"].decode()


@given(masks)
def test_strings_are_those_of_pycocotools(mask):
    runs = runs_from_pixels(mask, "F")
    assert counts_from_runs(runs, *mask.shape) == encoded(mask)
    assert runs_from_counts(encoded(mask)).tolist() == runs.tolist()


@given(masks)
def test_decoding_gives_the_pixels_back(mask):
    found = mask_from_runs(runs_from_pixels(mask, "F"), *mask.shape)
    assert found is None or np.array_equal(decode_mask(found), mask)


@given(st.lists(st.integers(0, 2**20), min_size=2, max_size=40).filter(lambda runs: 0 < sum(runs) <= MAX_GRID_PIXELS))
def test_long_runs_survive_the_string(lengths):
    runs = np.array(lengths, dtype=np.int64)
    assert runs_from_counts(counts_from_runs(runs, 1, sum(lengths))).tolist() == lengths


@given(masks)
def test_list_and_string_read_the_same(mask):
    size = list(mask.shape)
    from_text, height, width = read_coco({"size": size, "counts": encoded(mask)})
    from_list, _, _ = read_coco({"size": size, "counts": runs_from_pixels(mask, "F").tolist()})
    assert (height, width) == mask.shape
    assert from_text.tolist() == from_list.tolist()
    assert (mask_from_runs(from_text, height, width) is None) == (not mask.any())


@given(st.text(alphabet=st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_string_is_read_or_refused_and_what_is_read_pycocotools_reads_too(counts):
    try:
        runs = runs_from_counts(counts)
    except DataError:
        return
    total = int(runs.sum())
    if not 0 < total <= 10_000:
        return
    value = {"size": [1, total], "counts": counts.encode()}
    assert pycocotools.mask.area(value) == runs_area(runs)


@given(st.text(max_size=20))
def test_other_scripts_are_refused(counts):
    if any(not "0" <= character <= "o" for character in counts) or not counts:
        with pytest.raises(DataError):
            runs_from_counts(counts)


def test_empty_runs_inside_a_mask_are_joined():
    mask = mask_from_runs(np.array([2, 1, 0, 3, 0, 0, 4, 0]), 2, 5)
    assert mask.counts == counts_from_runs(np.array([2, 4, 4]), 2, 5)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"counts": "04"}, "lacks size"),
        ({"size": [2, 2]}, "lacks counts"),
        ({"size": [2], "counts": [4]}, "is not a size"),
        ({"size": [2, 2.0], "counts": [4]}, "is not a size"),
        ({"size": [True, 4], "counts": [4]}, "is not a size"),
        ({"size": [0, 4], "counts": [0]}, "is not a size"),
        ({"size": "22", "counts": [4]}, "is not a size"),
        ({"size": [2**20, 2**20], "counts": [4]}, "is too large"),
        ({"size": [2, 2], "counts": 4}, "wrong type"),
        ({"size": [2, 2], "counts": None}, "wrong type"),
        ({"size": [2, 2], "counts": [5]}, r"expected 4 \(2 x 2\); found a sum of 5"),
        ({"size": [2, 2], "counts": [2, -1, 3]}, "impossible run"),
        ({"size": [2, 2], "counts": [2, float("nan")]}, "no integer"),
        ({"size": [2, 2], "counts": ""}, "empty COCO string"),
        ({"size": [2, 2], "counts": "4P"}, "truncated"),
        ({"size": [2, 2], "counts": "P" * 40 + "0"}, "impossible run"),
        ({"size": [2, 2], "counts": "@"}, "impossible run"),
        ({"size": [2, 2], "counts": "4 0"}, "not a COCO string"),
    ],
)
def test_a_malformed_value_is_refused(value, what):
    with pytest.raises(DataError, match=what):
        read_coco(value)


@pytest.mark.skipif(not SAV.is_file(), reason="the SA-V sample is not beside this checkout")
def test_published_masks_have_the_area_and_box_that_pycocotools_sees():
    masklets = json.loads(SAV.read_text())["masklet"]
    values = [value for frame in masklets for value in frame]
    assert len(values) == 121 * 5
    for value in values:
        runs, height, width = read_coco(value)
        assert runs_area(runs) == pycocotools.mask.area(value)
        box = runs_box(runs, height, width, "F")
        assert (box or (0, 0, 0, 0)) == tuple(pycocotools.mask.toBbox(value))
        mask = mask_from_runs(runs, height, width)
        assert (mask.counts if mask else None) == (value["counts"] if box else None)
