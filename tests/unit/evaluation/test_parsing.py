"""From answers back to boxes and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.evaluation.evaluator import frame_results
from sam2vlm.evaluation.frames import TestFrame
from sam2vlm.evaluation.generation import true_answers
from sam2vlm.evaluation.metrics import METRICS, score_frames
from sam2vlm.evaluation.parsing import read_count, read_objects, reading_summary


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("3", 3),
        ("0", 0),
        (" 12 ", 12),
        ("There are 4 objects.", 4),
        ("There are 4, I think.", 4),
        ("", None),
        ("three", None),
        ("2 fish and 1 crab", None),
        ("3.5", None),
        ("1,000", None),
        ("-3", None),
        ("٣", None),
        ("99999999999999999999", None),
    ],
)
def test_a_count_is_the_one_number_of_an_answer(text, count):
    reading = read_count(text)
    assert reading.count == count
    assert bool(reading.unreadable) == (count is None)


def test_the_boxes_are_those_of_the_frame_not_of_the_padded_square():
    # 200 x 100 is padded by 50 above and below: y 0.25 of the square is the frame's upper edge.
    reading = read_objects("fish [0.10, 0.25, 0.60, 0.75]; crab [0.5, 0.5", 200, 100, LlavaBoxes())
    assert [(item.label, item.bbox) for item in reading.objects] == [("fish", (20.0, 0.0, 100.0, 100.0))]
    assert len(reading.unreadable) == 1


def row(task, unreadable=(), finished=True):
    return {"sample_id": "v/000001", "task": task, "unreadable": list(unreadable), "finished": finished}


def test_what_could_not_be_read_is_counted_by_task():
    rows = [row("detect", ["a", "b"], finished=False), row("detect"), row("detect", list("cdef")), row("count")]
    summary = reading_summary(rows)
    assert summary["count"] == {"answers": 1, "unreadable": 0, "unreadable_parts": 0, "cut_off": 0, "examples": []}
    assert {**summary["detect"], "examples": len(summary["detect"]["examples"])} == {
        "answers": 3,
        "unreadable": 2,
        "unreadable_parts": 6,
        "cut_off": 1,
        "examples": 3,
    }


@st.composite
def frames_with_objects(draw):
    width, height = draw(st.integers(64, 2000)), draw(st.integers(64, 2000))
    side = max(width, height)
    # A tenth of the square: rounding to hundredths moves an edge by at most a tenth of that.
    longest = st.tuples(st.floats(0.1, 1.0), st.floats(0.1, 1.0))
    objects = []
    for label in draw(st.lists(st.sampled_from(["fish", "crab; [x]", "sea weed", "Äé", "none"]), max_size=4)):
        w, h = (max(min(share * side, limit), 1.0) for share, limit in zip(draw(longest), (width, height), strict=True))
        x, y = draw(st.floats(0, 1)) * (width - w), draw(st.floats(0, 1)) * (height - h)
        objects.append({"label": label, "bbox": [x, y, w, h]})
    return width, height, objects


def figures_of_the_truth(drawn, decimals):
    frames = [
        TestFrame(row=number, sample_id=f"v/{number:06d}", width=width, height=height, objects=tuple(objects))
        for number, (width, height, objects) in enumerate(drawn)
    ]
    rows = true_answers(frames, boxes=LlavaBoxes(decimals))
    assert not any(row["unreadable"] for row in rows)
    return score_frames(frame_results(rows, frames))


@settings(max_examples=25, deadline=None)
@given(st.lists(frames_with_objects(), min_size=1, max_size=4).filter(lambda drawn: any(item[2] for item in drawn)))
def test_the_truth_as_text_scores_one(drawn):
    two, three = figures_of_the_truth(drawn, 2), figures_of_the_truth(drawn, 4)
    assert two["mAP50"] == two["count_accuracy"] == 1.0
    assert {name: three[name] for name in METRICS if name != "mean_iou"} == {
        name: 1.0 for name in METRICS if name != "mean_iou"
    }


def test_three_decimals_cost_nothing_at_ordinary_sizes():
    objects = [
        {"label": "fish", "bbox": [31.0, 17.0, 77.0, 53.0]},
        {"label": "crab", "bbox": [200.0, 101.0, 61.0, 47.0]},
    ]
    figures = figures_of_the_truth([(320, 180, objects), (320, 180, [])], 3)
    assert figures["mAP50"] == figures["mAP50_95"] == 1.0
    assert figures["mean_iou"] > 0.98
