"""Every task in every family's words, read back: to the masks' own boxes, within what the family can say."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sam2vlm.annotations import Frame, ObjectAnnotation, in_reading_order, scale_box
from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter.instructions import CONVENTIONS, FRAME_TASKS, InstructionMix, box_convention, written
from sam2vlm.data_converter.instructions.fitting import fit_mix
from sam2vlm.data_converter.instructions.instruction import Instruction

LABELS = ("fish", "sea star", "größe 図", "{objects}", "a; [b]", "<loc_1> x", "</ref>", 'say "no"', "\\", "\U0001f980")
GRID = 48


@st.composite
def frames(draw):
    """A frame of masks on a coarser grid, as the demo tool stores them; each is a union of boxes."""
    width, height = draw(st.integers(40, 1200)), draw(st.integers(40, 1200))
    objects = []
    for number, label in enumerate(draw(st.lists(st.sampled_from(LABELS), max_size=4))):
        pixels = np.zeros((GRID, GRID), np.uint8)
        x, y = draw(st.integers(0, 30)), draw(st.integers(0, 30))
        for w, h in draw(st.lists(st.tuples(st.integers(1, 17), st.integers(1, 17)), min_size=1, max_size=2)):
            pixels[y : y + h, x : x + w] = 1
        mask = mask_from_runs(runs_from_pixels(pixels, "F"), GRID, GRID)
        box = scale_box(tuple(map(float, pycocotools.mask.toBbox(mask.coco()))), (GRID, GRID), (width, height))
        objects.append(ObjectAnnotation(number, label, mask, box, float(pixels.sum())))
    return Frame("v", draw(st.integers(0, 999)), 0.0, width, height, tuple(objects))


def corners(box):
    x, y, w, h = box
    return x, y, x + w, y + h


def assert_same_box(boxes, frame, found, wanted):
    across, down = boxes.resolution(frame.width, frame.height)
    for place, (one, other) in enumerate(zip(corners(found), corners(wanted), strict=True)):
        assert abs(one - other) <= (down if place % 2 else across) * (1 + 1e-6) + 1e-6


def check(item, frame, boxes):
    """Read a question and its answer back and compare them with the frame's masks."""
    question, answer = written(item, frame.objects, frame.width, frame.height, boxes)
    size = frame.width, frame.height
    meant = next((thing for thing in frame.objects if thing.object_id == item.object_id), None)
    if item.task in ("detect", "locate", "refer"):
        parsed = boxes.parse_objects(answer, *size)
        wanted = in_reading_order(
            frame.objects if item.task == "detect" else [meant], lambda thing: (thing.bbox, thing.label)
        )
        assert parsed.problems == ()
        assert [thing.label for thing in parsed.objects] == [thing.label for thing in wanted]
        for found, thing in zip(parsed.objects, wanted, strict=True):
            assert_same_box(boxes, frame, found.bbox, thing.bbox)
    elif item.task == "polygon":
        (outline,) = boxes.parse_outlines(answer, *size).outlines
        xs, ys = zip(*outline.points, strict=True)
        assert outline.label == meant.label
        assert_same_box(boxes, frame, (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)), meant.bbox)
    elif item.task == "name":
        before, after = item.prompt.split("{region}")
        region = question.removeprefix(before).removesuffix(after)
        assert_same_box(boxes, frame, boxes.parse_region(region, *size), meant.bbox)
        assert answer == meant.label
    elif item.task == "count":
        assert int(answer) == len(frame.objects)
    elif item.task == "absent":
        assert item.label in question
        assert item.label in answer
        assert item.label not in {thing.label for thing in frame.objects}
    else:
        assert all(thing.label in answer for thing in frame.objects)


@pytest.mark.parametrize("language", ["en", "zh"])
@settings(max_examples=40, deadline=None)
@given(frame=frames(), other=frames())
def test_every_target_of_every_family_reads_back_to_the_masks_own_boxes(language, frame, other):
    mix = InstructionMix(weights=dict.fromkeys(FRAME_TASKS, 1.0), per_frame=16, language=language, max_same_answer=1)
    fitted, _facts = fit_mix(mix, {"train": [frame, other]})
    asked = fitted.for_frame(frame)
    assert len({(item.prompt, item.label, item.object_id) for item in asked}) == len(asked)
    for family in sorted(CONVENTIONS):
        boxes = box_convention(family)
        for item in asked:
            check(item, frame, boxes)
            # As the dataset's row gives it back.
            assert Instruction.from_row(item.row()) == item


def map_of(truth, found):
    """COCO's mAP at IoU 0.5 to 0.95, by pycocotools."""
    names = sorted({label for objects in truth for label, _box in objects})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number + 1} for number in range(len(truth))],
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(names)],
        "annotations": [
            {"image_id": number + 1, "category_id": names.index(label) + 1, "bbox": list(box), "iscrowd": 0}
            for number, objects in enumerate(truth)
            for label, box in objects
        ],
    }
    for number, item in enumerate(coco.dataset["annotations"]):
        item |= {"id": number + 1, "area": item["bbox"][2] * item["bbox"][3]}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [
                {"image_id": number + 1, "category_id": names.index(label) + 1, "bbox": list(box), "score": 1.0}
                for number, objects in enumerate(found)
                for label, box in objects
            ]
        )
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


@pytest.mark.parametrize("family", sorted(CONVENTIONS))
def test_the_truth_as_text_scores_a_map_of_one(family):
    # Two decimals of a large picture are too coarse for an IoU of 0.95.
    decimals = {"decimals": 4} if hasattr(box_convention(family), "decimals") else {}
    boxes = box_convention(family, **decimals)
    rng = np.random.default_rng(7)
    truth, found = [], []
    for _ in range(12):
        width, height = (int(side) for side in rng.integers(300, 1500, 2))
        objects = []
        for label in rng.choice(LABELS, int(rng.integers(1, 5))):
            w, h = rng.uniform(0.15, 0.6) * width, rng.uniform(0.15, 0.6) * height
            x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
            objects.append({"label": str(label), "bbox": (x, y, w, h)})
        parsed = boxes.parse_objects(boxes.format_objects(objects, width, height), width, height)
        truth.append([(item["label"], item["bbox"]) for item in objects])
        found.append([(item.label, item.bbox) for item in parsed.objects])
    assert map_of(truth, found) == pytest.approx(1.0)
