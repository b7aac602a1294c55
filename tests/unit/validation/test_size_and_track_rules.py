"""Rules over masks and tracks at their thresholds: hand-counted cases on both sides."""

from dataclasses import replace

import numpy as np
import pytest

from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.annotations.types import Frame, Mask
from sam2vlm.validation import (
    Severity,
    Status,
    area_jump_check,
    area_outlier_check,
    coordinate_space_check,
    flicker_check,
    fragmented_mask_check,
    identity_swap_check,
    object_area_check,
    overlap_check,
    shape_jump_check,
)

SWAPPED = (
    "seems to have exchanged its identity with object 1 (crab) since the frame before: each lies where the other was "
    "(IoU 2.00 crossed, 0.00 straight)"
)


def messages(result):
    return [(item.frame_index, item.object_id, item.message) for item in result.findings]


def test_a_grid_of_another_size_than_the_frame_is_told_but_where_the_dialect_means_it(made):
    large = Frame("v", 0, 0.0, 80, 60, (made.thing(), made.absent(object_id=2)))
    result = coordinate_space_check(made.dataset(made.frame(1, made.thing()), large))
    assert messages(result) == [(0, 1, "its mask is on a grid of 40 x 30, the frame has 80 x 60")]
    for dialect in ("sam2-demo-1.0.0", "logits-column-major"):
        assert coordinate_space_check(made.dataset(large, dialect=dialect)).status is Status.PASSED


@pytest.mark.parametrize(("width", "found"), [(38, 0), (39, 1)])
def test_more_than_ninety_five_percent_of_the_frame_is_an_error(made, width, found):
    # 38 of 40 columns are 95 %.
    result = object_area_check(made.dataset(made.frame(0, made.thing(0, 0, width, 30))))
    assert [item.severity for item in result.findings] == [Severity.ERROR] * found
    assert object_area_check(made.dataset(made.frame(0, made.thing(0, 0, 38, 30))), max_area_percent=94).findings


@pytest.mark.parametrize(("objects", "found"), [(25, False), (27, True)])
def test_one_that_differs_is_found_when_five_sigmas_can_be_reached(made, objects, found):
    # One that differs from n - 1 equal ones lies sqrt(n - 1) standard deviations from the mean: 4.9 and 5.1.
    frames = [made.frame(number, made.thing(0, 0, 4, 4)) for number in range(objects - 1)]
    result = area_outlier_check(made.dataset(*frames, made.frame(99, made.thing(0, 0, 9, 9))))
    assert [item.frame_index for item in result.findings] == [99] * found


def test_sizes_are_compared_within_a_label(made):
    small = [made.frame(number, made.thing(0, 0, 2, 2)) for number in range(40)]
    large = made.thing(0, 0, 20, 20, label="whale", object_id=2)
    assert area_outlier_check(made.dataset(*small, made.frame(99, large))).status is Status.PASSED
    result = area_outlier_check(made.dataset(*small, made.frame(99, replace(large, label="crab"))))
    assert "6.3 standard deviations from the 1.14 % that crab covers on average" in messages(result)[0][2]


def pieces(made, apart):
    pixels = np.zeros((30, 40), np.uint8)
    pixels[0:10, 0:10] = 1
    pixels[20, 20 : 20 + apart] = 1
    mask = mask_from_runs(runs_from_pixels(pixels, "F"), 30, 40)
    return made.frame(0, made.thing(mask=mask, area=float(pixels.sum())))


@pytest.mark.parametrize(("apart", "found"), [(5, False), (6, True)])
def test_more_than_five_percent_outside_of_the_largest_part_is_a_warning(made, apart, found):
    # 5 of 105 pixels are 4.8 %, 6 of 106 are 5.7 %.
    result = fragmented_mask_check(made.dataset(pieces(made, apart)))
    assert messages(result) == ([(0, 1, "5.7 % of its mask is apart from the rest")] if found else [])


@pytest.mark.parametrize(("width", "found"), [(12, False), (13, True)])
def test_two_objects_with_nearly_one_mask(made, width, found):
    # 12 of 15 columns in common are an IoU of 0.8 exactly, 13 are 0.87.
    pair = made.frame(0, made.thing(0, 0, 15, 10), made.thing(0, 0, width, 10, object_id=2, label="eel"))
    result = overlap_check(made.dataset(pair))
    assert messages(result) == ([(0, 2, "has nearly the mask of object 1 (crab): IoU 0.87")] if found else [])
    assert overlap_check(made.dataset(pair), max_overlap_iou=0.79).findings


def two(made, index, first, second):
    return made.frame(index, made.thing(first, 0, 10, 10), made.thing(second, 0, 10, 10, object_id=2, label="eel"))


def test_exchanged_objects_are_found_and_moved_ones_are_not(made):
    result = identity_swap_check(made.dataset(two(made, 0, 0, 20), two(made, 6, 20, 0), two(made, 12, 22, 2)))
    assert messages(result) == [
        (
            6,
            2,
            SWAPPED,
        )
    ]
    assert result.facts == {"swaps": 1, "transitions": 4}


@pytest.mark.parametrize(("now", "found"), [((5, 4), False), ((6, 3), True)])
def test_the_crossed_sum_must_lead_by_more_than_a_fifth(made, now, found):
    # From 0 and 9: to 5 and 4 gives 0.333 + 0.333 straight against 0.429 + 0.429 crossed; to 6 and 3 0.25 + 0.25
    # against 0.538 + 0.538.
    dataset = made.dataset(two(made, 0, 0, 9), two(made, 1, *now))
    assert bool(identity_swap_check(dataset).findings) is found
    assert bool(identity_swap_check(dataset, min_crossing=0.19).findings) is True
    assert bool(identity_swap_check(dataset, min_crossing=0.58).findings) is False


@pytest.mark.parametrize(("gap", "found"), [(0, False), (1, True), (2, True), (3, False)])
def test_an_absence_of_at_most_two_frames_is_a_flicker(made, gap, found):
    frames = [made.frame(0, made.thing())]
    frames += [made.frame(number, made.absent()) for number in range(6, 6 + 6 * gap, 6)]
    frames += [made.frame(6 + 6 * gap, made.thing()), made.frame(90, made.absent())]
    result = flicker_check(made.dataset(*frames))
    words = f"is absent for {gap} frame{'s' if gap > 1 else ''} between frames 0 and {6 + 6 * gap}"
    assert messages(result) == ([(6 + 6 * gap, 1, words)] if found else [])
    assert bool(flicker_check(made.dataset(*frames), max_gap_frames=3).findings) is (gap > 0)


def test_a_frame_that_was_left_out_for_showing_nothing_is_an_absence(made):
    dataset = made.dataset(made.frame(0, made.thing()), made.frame(12, made.thing()))
    assert not flicker_check(dataset).findings
    assert flicker_check({**dataset, "dropped": {"shows nothing": (6,)}}).facts == {"gaps": 1}


@pytest.mark.parametrize(("width", "found"), [(15, False), (16, True)])
def test_an_area_that_changes_more_than_three_times(made, width, found):
    # From 5 x 10 to 15 x 10 is three times.
    dataset = made.dataset(made.frame(0, made.thing(0, 0, 5, 10)), made.frame(1, made.thing(0, 0, width, 10)))
    result = area_jump_check(dataset)
    assert messages(result) == (
        [(1, 1, "covers 13.33 % of the frame after 4.17 % in the frame before, 3.2 times more")] if found else []
    )
    back = made.dataset(made.frame(0, made.thing(0, 0, width, 10)), made.frame(1, made.thing(0, 0, 5, 10)))
    assert bool(area_jump_check(back).findings) is found


def test_a_frame_of_another_size_is_no_jump(made):
    small = made.thing(0, 0, 5, 10)
    large = replace(small, area=200.0)
    frames = made.frame(0, small), Frame("v", 1, 0.1, 80, 60, (large,))
    assert area_jump_check(made.dataset(*frames)).status is Status.PASSED


@pytest.mark.parametrize(("height", "found"), [(6, False), (7, True)])
def test_a_shape_is_compared_after_it_was_moved(made, height, found):
    # A bar of 18 x 2 far away against an upright one of 2 x 6: 4 of 44 pixels in common; against itself all of them.
    moved = made.dataset(made.frame(0, made.thing(0, 0, 18, 2)), made.frame(1, made.thing(20, 20, 18, 2)))
    assert shape_jump_check(moved).status is Status.PASSED
    # 2 x h across a centred 2 x 2: IoU 2 / h, which is 1/3 for 6 and 0.286 for 7 (rounding moves it by one pixel).
    grown = made.dataset(made.frame(0, made.thing(10, 10, 2, 2)), made.frame(1, made.thing(10, 10, 2, height)))
    result = shape_jump_check(grown)
    assert bool(result.findings) is found
    if found:
        assert (
            messages(result)[0][2]
            == "has another shape than in the frame before: IoU 0.29 with their centroids aligned"
        )


def test_broken_masks_are_left_to_the_mask_check(made):
    broken = made.thing(mask=Mask(30, 40, "é"))
    dataset = made.dataset(made.frame(0, broken, made.thing(object_id=2)), made.frame(1, broken))
    rules = (overlap_check, identity_swap_check, area_jump_check, shape_jump_check, fragmented_mask_check)
    assert all(rule(dataset).status is Status.PASSED for rule in rules)


def test_an_empty_dataset_passes_every_rule(made):
    rules = (
        coordinate_space_check,
        object_area_check,
        area_outlier_check,
        fragmented_mask_check,
        overlap_check,
        identity_swap_check,
        flicker_check,
        area_jump_check,
        shape_jump_check,
    )
    for rule in rules:
        result = rule(made.dataset())
        assert (result.status, result.checked) == (Status.PASSED, 0)
