"""Runs against NumPy's pixels."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations.runs import (
    MAX_GRID_PIXELS,
    canonical_runs,
    decode_runs,
    reorder_runs,
    runs_area,
    runs_box,
    runs_from_list,
    runs_from_pixels,
    runs_from_text,
)
from sam2vlm.errors import DataError

masks = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.sampled_from([0, 1])
)
orders = st.sampled_from(["C", "F"])


def box_of_pixels(mask):
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return None
    x, y = columns.min(), rows.min()
    return int(x), int(y), int(columns.max() - x + 1), int(rows.max() - y + 1)


@given(masks, orders)
def test_decoding_undoes_encoding(mask, order):
    assert np.array_equal(decode_runs(runs_from_pixels(mask, order), *mask.shape, order), mask)


@given(masks, orders)
def test_area_and_box_from_runs_are_those_of_the_pixels(mask, order):
    runs = runs_from_pixels(mask, order)
    assert runs_area(runs) == mask.sum()
    assert runs_box(runs, *mask.shape, order) == box_of_pixels(mask)


@given(masks)
def test_reordering_gives_the_column_major_runs_of_the_same_pixels(mask):
    assert reorder_runs(runs_from_pixels(mask, "C"), *mask.shape).tolist() == runs_from_pixels(mask, "F").tolist()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30).filter(sum))
def test_canonical_runs_are_those_of_the_pixels(lengths):
    runs = np.array(lengths, dtype=np.int64)
    pixels = decode_runs(runs, 1, sum(lengths), "C")
    assert canonical_runs(runs).tolist() == runs_from_pixels(pixels, "C").tolist()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30).filter(sum), orders)
def test_empty_runs_move_no_box(lengths, order):
    runs = np.array(lengths, dtype=np.int64)
    shape = (1, sum(lengths))
    assert runs_box(runs, *shape, order) == box_of_pixels(decode_runs(runs, *shape, order))


def test_a_run_over_a_line_break_counted_by_hand():
    # 3 rows of 4:  0 0 0 1 / 1 0 0 0 / 0 0 0 0
    runs = runs_from_text("3 2 7")
    assert runs_area(runs) == 2
    assert runs_box(runs, 3, 4, "C") == (0, 0, 4, 2)
    # the same runs column by column: rows 3 and 4 of the flat mask lie in columns 1
    assert runs_box(runs, 3, 4, "F") == (1, 0, 1, 2)


def test_text_may_have_any_blanks_between_integers():
    assert runs_from_text(" 3\t2\n7 ").tolist() == [3, 2, 7]


@pytest.mark.parametrize(
    "text", ["", "  ", "1 x", "1,2", "-1 2", "1.5", "1_0 2", "+1", "٣ 2", "1e3", "99999999999999999999999", "9" * 5000]
)
def test_text_that_is_no_run_string_is_refused(text):
    with pytest.raises(DataError):
        runs_from_text(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        runs = runs_from_text(text)
    except DataError:
        return
    assert runs.tolist() == [int(part) for part in text.split()]


@pytest.mark.parametrize("values", [[], [1.0], [True, 2], ["1"], [None], [-1], [MAX_GRID_PIXELS + 1], [10**400], [[1]]])
def test_a_list_that_holds_no_runs_is_refused(values):
    with pytest.raises(DataError):
        runs_from_list(values)


def test_a_wrong_sum_names_both_numbers():
    with pytest.raises(DataError, match=r"expected 12 \(4 x 3\); found a sum of 13"):
        decode_runs(runs_from_text("3 3 7"), 3, 4, "C")
