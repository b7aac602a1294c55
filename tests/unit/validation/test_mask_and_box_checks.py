"""Broken, empty and mismatched masks; boxes outside of the frame, without a size, or of another space."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations.boxes import scale_box
from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import reorder_runs, runs_area, runs_box, runs_from_text
from sam2vlm.annotations.types import Frame, Mask, ObjectAnnotation
from sam2vlm.validation import Severity, Status, bounding_box_check, mask_integrity_check
from sam2vlm.validation.box_check import _iou

REAL = Path(__file__).parents[4] / "shared" / "data" / "sam2_demo_export" / "annotations.json"
DEMO = "sam2-demo-1.0.0"


def messages(result, severity=None):
    return [item.message for item in result.findings if severity in (None, item.severity)]


def test_sound_masks_pass_and_absent_objects_are_no_broken_masks(made):
    result = mask_integrity_check(made.dataset(made.frame(0, made.thing(stored_area=80.0), made.absent())))
    assert result.status is Status.PASSED
    assert result.facts == {"broken": 0, "not_visible": 1, "areas_compared": 1}


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Mask(30, 40, "0"), "the runs do not add up to the mask's size (expected 1200 (40 x 30); found a sum of 0)"),
        (Mask(20, 40, "`U1"), "the runs do not add up"),
        (Mask(30, 40, "é"), "is not a COCO string"),
        (Mask(30, 40, ""), "is an empty COCO string"),
        (Mask(30, 40, "`U1"), "its mask is empty although it counts as visible"),
    ],
)
def test_broken_masks_are_errors(made, mask, words):
    result = mask_integrity_check(made.dataset(made.frame(4, made.thing(mask=mask, label="eel"))))
    assert result.status is Status.FAILED
    assert words in messages(result, Severity.ERROR)[0]
    assert result.findings[0].place == "frame 4, object 1 (eel)"


def test_an_object_with_a_box_and_an_empty_mask_has_lost_its_mask(made):
    lost = made.absent(stored_bbox=(1.0, 2.0, 3.0, 4.0), stored_area=12.0)
    result = mask_integrity_check(made.dataset(made.frame(0, lost)))
    assert messages(result, Severity.ERROR) == [
        "its mask is empty although the file gives box (1.0, 2.0, 3.0, 4.0) and area 12.0"
    ]


@pytest.mark.parametrize(("stored", "fits"), [(80.0, True), (81.0, True), (79.0, True), (82.0, False), (0.0, False)])
def test_the_stored_area_may_be_one_percent_or_one_pixel_off(made, stored, fits):
    result = mask_integrity_check(made.dataset(made.frame(0, made.thing(stored_area=stored))))
    assert result.status is (Status.PASSED if fits else Status.PASSED_WITH_WARNINGS)


@pytest.mark.parametrize(("stored", "fits"), [(80.0, True), (320.0, True), (160.0, False)])
def test_on_a_coarser_grid_an_area_in_pixels_of_either_is_right(made, stored, fits):
    # 40 x 30 grid on a frame twice as large: 80 grid pixels are 320 frame pixels.
    large = Frame("v", 0, 0.0, 80, 60, (made.thing(area=320.0, stored_area=stored),))
    result = mask_integrity_check(made.dataset(large))
    assert messages(result) == ([] if fits else ["the file's area 160 differs from the mask's 80 or 320"])


@pytest.mark.parametrize(
    ("stored", "kind", "status"),
    [
        ((20.0, 3.0, 12.0, 5.0), "straight", Status.PASSED),
        ((40.0, 6.0, 24.0, 10.0), "in the frame", Status.PASSED),
        ((3.0, 20.0, 5.0, 12.0), "in the frame", Status.FAILED),
    ],
)
def test_on_a_coarser_grid_a_box_of_either_is_right_but_no_transposed_one(made, stored, kind, status):
    item = made.thing(20, 3, 12, 5, bbox=(40.0, 6.0, 24.0, 10.0), stored_bbox=stored)
    result = bounding_box_check(made.dataset(Frame("v", 0, 0.0, 80, 60, (item,))))
    assert (result.status, result.facts["stored_boxes"]) == (status, {kind: 1})


def test_a_broken_mask_is_left_to_the_mask_check(made):
    item = made.thing(mask=Mask(30, 40, "é"), stored_bbox=(5.0, 6.0, 10.0, 8.0))
    result = bounding_box_check(made.dataset(made.frame(0, item), dialect=DEMO))
    assert (result.status, result.facts["stored_boxes"]) == (Status.PASSED, {"unreadable": 1})


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((5.0, 6.0, 0.0, 8.0), "has no size"),
        ((5.0, 6.0, 3.0, -1.0), "has no size"),
        ((-1.0, 6.0, 3.0, 3.0), "leaves the frame of 40 x 30"),
        ((35.0, 6.0, 6.0, 3.0), "leaves the frame of 40 x 30"),
        ((5.0, 28.0, 6.0, 3.0), "leaves the frame of 40 x 30"),
        ((float("nan"), 6.0, 3.0, 3.0), "is not finite"),
        (None, "is visible but has no box"),
    ],
)
def test_impossible_boxes_are_errors(made, box, words):
    result = bounding_box_check(made.dataset(made.frame(0, made.thing(bbox=box))))
    assert result.status is Status.FAILED
    assert words in messages(result)[0]


def test_a_box_of_an_invisible_object_is_an_error(made):
    result = bounding_box_check(made.dataset(made.frame(0, made.absent(bbox=(1.0, 1.0, 2.0, 2.0)))))
    assert messages(result) == ["has a box although it is not visible"]


@pytest.mark.parametrize(
    ("stored", "status"),
    [
        ((5.0, 6.0, 10.0, 8.0), Status.PASSED),
        ((5.0, 6.0, 9.0, 7.0), Status.PASSED),  # whole pixels, max - min: one short
        ((5.0, 6.0, 13.0, 8.0), Status.PASSED_WITH_WARNINGS),  # IoU 80/104
        ((6.0, 5.0, 8.0, 10.0), Status.PASSED_WITH_WARNINGS),  # IoU 64/96: transposed, yet near the diagonal
        ((25.0, 6.0, 10.0, 8.0), Status.FAILED),  # IoU 0
        ((10.0, 12.0, 20.0, 16.0), Status.FAILED),  # of a frame twice as large
    ],
)
def test_the_files_own_box_is_held_against_the_masks(made, stored, status):
    assert bounding_box_check(made.dataset(made.frame(0, made.thing(stored_bbox=stored)))).status is status


def test_the_demo_tools_boxes_are_evidence_and_no_fault(made):
    dataset = made.dataset(
        made.frame(0, made.thing(20, 3, 12, 5, stored_bbox=(3.0, 20.0, 5.0, 12.0))),
        made.frame(1, made.thing(20, 3, 12, 5, stored_bbox=(20.0, 3.0, 12.0, 5.0))),
        made.frame(2, made.thing(4, 4, 6, 6, stored_bbox=(4.0, 4.0, 6.0, 6.0))),
        made.frame(3, made.thing(20, 3, 12, 5, stored_bbox=(1.0, 1.0, 2.0, 2.0))),
        dialect=DEMO,
    )
    result = bounding_box_check(dataset)
    assert result.facts == {"stored_boxes": {"neither": 1, "straight": 1, "symmetric": 1, "transposed": 1}}
    assert [(item.frame_index, item.severity) for item in result.findings] == [(3, Severity.WARNING)]
    assert result.findings[0].message == (
        "the file's box [1.0, 1.0, 2.0, 2.0] is neither the mask's [20.0, 3.0, 12.0, 5.0] on its grid nor the "
        "transposed one"
    )
    assert result.summary.endswith("the transposed one for 2 of 4, which does not confirm the dialect sam2-demo-1.0.0")


@pytest.mark.skipif(not REAL.is_file(), reason="the real export lies beside the checkout, in ../shared/data")
def test_all_boxes_and_areas_of_a_real_export_confirm_the_dialect(made):
    frames = [_real_frame(entry) for entry in json.loads(REAL.read_text())["annotations"]]
    dataset = made.dataset(*frames, dialect=DEMO, width=854, height=480)
    boxes = bounding_box_check(dataset)
    assert boxes.status is Status.PASSED
    assert boxes.facts == {"stored_boxes": {"transposed": 18}}
    assert mask_integrity_check(dataset).facts == {"broken": 0, "not_visible": 0, "areas_compared": 18}
    assert mask_integrity_check(dataset).status is Status.PASSED


def _real_frame(entry):
    return Frame("v", entry["frame_index"], 0.0, 854, 480, tuple(map(_real_object, entry["objects"])))


def _real_object(value):
    runs = runs_from_text(value["mask_rle"])
    box = runs_box(runs, 256, 256, "C")
    return ObjectAnnotation(
        value["object_id"],
        value["label"],
        mask_from_runs(reorder_runs(runs, 256, 256), 256, 256),
        scale_box(box, (256, 256), (854, 480)),
        runs_area(runs) * 854 * 480 / 65536,
        value["confidence"],
        tuple(map(float, value["bbox"])),
        float(value["area"]),
    )


boxes = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2)


@given(boxes, boxes)
def test_iou_equals_counting_pixels(first, second):
    pictures = []
    for x, y, w, h in (first, second):
        pixels = np.zeros((24, 24), bool)
        pixels[y : y + h, x : x + w] = True
        pictures.append(pixels)
    counted = (pictures[0] & pictures[1]).sum() / (pictures[0] | pictures[1]).sum()
    assert _iou(np.array([first]), np.array([second])) == pytest.approx([counted])
