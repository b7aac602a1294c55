"""Assignments of boxes to objects, against hand-counted cases and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.matching import box_iou, ious_of_truth, located_pairs

LABELS = ("fish", "crab")

sides = st.integers(min_value=1, max_value=12)
corners = st.integers(min_value=0, max_value=12)
boxes = st.builds(
    lambda label, x, y, w, h: SeenObject(label, (float(x), float(y), float(w), float(h))),
    st.sampled_from(LABELS),
    corners,
    corners,
    sides,
    sides,
)
frames = st.lists(boxes, max_size=4)


def by_hand(one, other):
    """IoU of two xywh boxes from the definition."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def every_assignment(predicted, truth):
    """All one-to-one assignments, as lists of pairs."""
    padded = [*range(len(predicted)), *[None] * len(truth)]
    for rows in set(itertools.permutations(padded, len(truth))):
        yield [(row, column) for column, row in enumerate(rows) if row is not None]


@given(frames, frames)
def test_iou_is_that_of_the_definition(predicted, truth):
    table = box_iou(predicted, truth)
    assert table.shape == (len(predicted), len(truth))
    expected = [[by_hand(one.bbox, other.bbox) for other in truth] for one in predicted]
    np.testing.assert_allclose(table, np.array(expected).reshape(table.shape), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(frames, frames)
def test_the_ious_of_the_truth_are_the_best_one_to_one_sum(predicted, truth):
    def gain(pairs):
        return sum(
            by_hand(predicted[row].bbox, truth[column].bbox)
            for row, column in pairs
            if predicted[row].label == truth[column].label
        )

    best = max(gain(pairs) for pairs in every_assignment(predicted, truth))
    found = ious_of_truth(predicted, truth)
    assert len(found) == len(truth)
    assert sum(found) == pytest.approx(best)


@settings(max_examples=60, deadline=None)
@given(frames, frames)
def test_as_many_objects_as_possible_are_located(predicted, truth):
    def located(pairs):
        return sum(by_hand(predicted[row].bbox, truth[column].bbox) >= 0.5 for row, column in pairs)

    pairs = located_pairs(predicted, truth)
    assert len(pairs) == max(located(pairs) for pairs in every_assignment(predicted, truth))
    assert all(by_hand(predicted[row].bbox, truth[column].bbox) >= 0.5 for row, column in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_one_box_is_not_counted_for_two_objects():
    truth = [SeenObject("fish", (0, 0, 10, 10)), SeenObject("fish", (0, 0, 10, 10))]
    assert sorted(ious_of_truth([SeenObject("fish", (0, 0, 10, 10))], truth)) == [0.0, 1.0]


def test_a_box_of_another_label_does_not_count():
    assert ious_of_truth([SeenObject("crab", (0, 0, 4, 4))], [SeenObject("fish", (0, 0, 4, 4))]) == [0.0]


def test_of_equal_boxes_the_one_with_the_right_label_locates_the_object():
    predicted = [SeenObject("crab", (0, 0, 4, 4)), SeenObject("fish", (0, 0, 4, 4))]
    truth = [SeenObject("fish", (0, 0, 4, 4)), SeenObject("crab", (0, 0, 4, 4))]
    assert located_pairs(predicted, truth) == [(1, 0), (0, 1)]
