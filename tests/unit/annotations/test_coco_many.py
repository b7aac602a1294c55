"""Many COCO strings at once give what each alone gives, or nothing where one of them is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.coco_many import runs_of_many
from sam2vlm.annotations.coco_rle import counts_from_runs, runs_from_counts
from sam2vlm.annotations.runs import runs_from_pixels


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    share = draw(st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    pixels = np.random.default_rng(draw(st.integers(0, 2**31))).random((height, width)) < share
    return counts_from_runs(runs_from_pixels(pixels.astype(np.uint8), "F"), height, width), height * width


@given(st.lists(masks(), max_size=6))
@settings(max_examples=100, deadline=None)
def test_they_are_those_of_each_alone(made):
    runs, lengths = runs_of_many([counts for counts, _pixels in made], [pixels for _counts, pixels in made])
    alone = [runs_from_counts(counts) for counts, _pixels in made]
    assert lengths.tolist() == [one.size for one in alone]
    assert runs.tolist() == [run for one in alone for run in one.tolist()]


GOOD = counts_from_runs(np.array([3, 4, 5]), 3, 4)


@pytest.mark.parametrize("wrong", ["", "é", "z~", "P", GOOD[:-1], GOOD + "1", "p" * 9 + "1", "="])
def test_one_that_is_wrong_is_left_to_who_can_tell_why(wrong):
    assert runs_of_many([GOOD, GOOD], [12, 12]) is not None
    assert runs_of_many([GOOD, GOOD], [12, 13]) is None
    for counts in ([wrong, GOOD], [GOOD, wrong, GOOD]):
        assert runs_of_many(counts, [12] * len(counts)) is None


def test_large_grids_and_empty_runs():
    large = counts_from_runs(np.array([2**27, 2**26, 2**26]), 2**14, 2**14)
    runs, _lengths = runs_of_many([large], [2**28])
    assert runs.tolist() == [2**27, 2**26, 2**26]
    assert runs_of_many([counts_from_runs(np.array([3, 0, 9]), 3, 4)], [12]) is None
    assert runs_of_many([counts_from_runs(np.array([0, 12]), 3, 4)], [12]) is not None
