"""Boxes on another grid, and their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations import in_reading_order, scale_box


def test_a_box_of_the_demo_tools_grid_counted_by_hand():
    # a quarter of the grid in from the left, an eighth down
    assert scale_box((64, 32, 128, 16), (256, 256), (854, 480)) == pytest.approx((213.5, 60.0, 427.0, 30.0))


@given(st.integers(1, 999), st.integers(1, 999), st.integers(1, 999), st.integers(1, 999))
def test_the_whole_grid_becomes_the_whole_frame(grid_width, grid_height, width, height):
    whole = scale_box((0, 0, grid_width, grid_height), (grid_width, grid_height), (width, height))
    assert whole == pytest.approx((0, 0, width, height))


def test_reading_order_is_row_then_column_then_lower_right_then_label():
    items = [
        ((5.0, 9.0, 1.0, 1.0), "a"),
        ((5.0, 2.0, 1.0, 1.0), "a"),
        ((1.0, 2.0, 9.0, 9.0), "a"),
        ((1.0, 2.0, 9.0, 1.0), "z"),
        ((1.0, 2.0, 2.0, 1.0), "z"),
        ((1.0, 2.0, 2.0, 1.0), "b"),
    ]
    assert in_reading_order(items, lambda item: item) == [items[i] for i in (5, 4, 3, 2, 1, 0)]
