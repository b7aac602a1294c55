"""Areas, boxes, components and overlaps from runs, against pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.validation.stretches import Stretches


def stretches(*pictures):
    return Stretches.of([runs_from_pixels(p, "F") for p in pictures], [p.shape for p in pictures])


def drawn(text):
    return np.array([[mark == "#" for mark in line] for line in text.split()], np.uint8)


@st.composite
def pictures(draw, count, *, same=False):
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    size = draw(sides)
    made = []
    for _ in range(count):
        height, width = size if same else draw(sides)
        share = draw(st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.0]))
        seed = draw(st.integers(0, 2**31))
        made.append((np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8))
    return made


@given(pictures(4))
@settings(max_examples=60, deadline=None)
def test_areas_boxes_centroids_and_components_equal_those_of_the_pixels(made):
    found = stretches(*made)
    largest = found.largest_components()
    for number, picture in enumerate(made):
        rows, columns = np.nonzero(picture)
        assert found.areas[number] == rows.size
        if not rows.size:
            assert (found.boxes[number] == 0).all()
            assert np.isnan(found.centroids[number]).all()
            assert largest[number] == 0
            continue
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert tuple(found.boxes[number]) == box
        assert found.centroids[number] == pytest.approx((columns.mean(), rows.mean()))
        labels, _count = ndimage.label(picture, structure=np.ones((3, 3)))
        assert largest[number] == np.bincount(labels.ravel())[1:].max()


@given(pictures(3, same=True), st.data())
@settings(max_examples=60, deadline=None)
def test_shared_pixels_equal_those_counted_also_after_a_shift(made, data):
    height, width = made[0].shape
    found = stretches(*made)
    one, other = np.array([0, 1, 2, 2]), np.array([1, 2, 0, 2])
    shift = np.array([data.draw(st.tuples(st.integers(-width, width), st.integers(-height, height))) for _ in one])
    counted = [(made[a] & made[b]).sum() for a, b in zip(one, other, strict=True)]
    assert found.intersections(one, other).tolist() == counted
    moved = []
    for a, b, (across, down) in zip(one, other, shift, strict=True):
        wide = [np.zeros((3 * height, 3 * width), np.uint8) for _ in range(2)]
        wide[0][height + down : 2 * height + down, width + across : 2 * width + across] = made[a]
        wide[1][height : 2 * height, width : 2 * width] = made[b]
        moved.append((wide[0] & wide[1]).sum())
    assert found.intersections(one, other, shift).tolist() == moved


def test_a_stretch_over_the_end_of_a_column_is_two_that_do_not_touch():
    # The end of column 0 and the beginning of column 1 are one run, yet far apart.
    found = stretches(drawn(".# .. .. #."))
    assert (found.column.tolist(), found.first.tolist(), found.end.tolist()) == ([0, 1], [3, 0], [4, 1])
    assert found.largest_components().tolist() == [1]


def test_diagonal_neighbours_are_one_component_and_rings_are_too():
    found = stretches(drawn("#.. .#. ..#"), drawn("### #.# ###"), drawn("##.# ##.. ...#"))
    assert found.largest_components().tolist() == [3, 8, 4]


def test_no_masks_at_all():
    found = Stretches.of([], [])
    assert found.areas.size == found.largest_components().size == 0
    nothing = np.zeros(0, np.int64)
    assert found.intersections(nothing, nothing).size == 0
