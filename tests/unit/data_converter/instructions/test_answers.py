"""The answers, counted by hand and against the pre-training's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.data_converter.instructions import SeenObject, answer_text
from sam2vlm.errors import SettingsError

FISH, CRAB = SeenObject("fish", (10, 0, 10, 10)), SeenObject("crab", (0, 50, 10, 10))


def test_detect_reads_from_the_top_whatever_order_it_is_given():
    expected = "fish [0.10, 0.00, 0.20, 0.10]; crab [0.00, 0.50, 0.10, 0.60]"
    assert answer_text("detect", [CRAB, FISH], 100, 100) == expected
    assert answer_text("detect", [FISH, CRAB], 100, 100) == expected
    assert answer_text("detect", [], 100, 100) == "none"
    assert answer_text("detect", [FISH], 100, 100, 1) == "fish [0.1, 0.0, 0.2, 0.1]"


def test_count_counts():
    assert [answer_text("count", [FISH] * n, 100, 100) for n in (0, 1, 12)] == ["0", "1", "12"]


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        ([], "There are no objects."),
        (["crab"], "There is 1 object: 1 crab."),
        (["crab", "fish", "fish"], "There are 3 objects: 2 fish and 1 crab."),
        (["eel", "crab", "fish", "fish"], "There are 4 objects: 2 fish, 1 crab and 1 eel."),
        ([""], "There is 1 object: 1 object."),
    ],
)
def test_describe_says_what_is_there(labels, answer):
    assert answer_text("describe", [SeenObject(label, (0, 0, 1, 1)) for label in labels], 9, 9) == answer


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=9))
def test_describe_names_every_object_once(labels):
    answer = answer_text("describe", [SeenObject(label, (0, 0, 1, 1)) for label in labels], 9, 9)
    counted = {
        part[2:3]: int(part[0])
        for part in answer.rstrip(".").replace(" and ", ", ").partition(": ")[2].split(", ")
        if part
    }
    assert counted == {label: labels.count(label) for label in set(labels)}


def test_another_familys_boxes_come_in_as_an_object():
    class Loud:
        def format_objects(self, objects, width, height):
            return "!".join(item.label for item in objects) + f"@{width}x{height}"

    assert answer_text("detect", [CRAB, FISH], 100, 90, boxes=Loud()) == "fish!crab@100x90"


def test_an_unknown_task_is_a_wrong_setting():
    with pytest.raises(SettingsError, match="expected detect or count or describe; found sing"):
        answer_text("sing", [], 1, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["fish", "crab"]), st.lists(st.integers(0, 128), min_size=4, max_size=4)), max_size=4
    )
)
def test_the_pretrained_model_learnt_the_same_answers(found):
    from pretraining.answers import ANSWERS
    from pretraining.pictures import Object

    def key(item):
        x1, y1, x2, y2 = item[1]
        return y1, x1, y2, x2, item[0]

    corners = sorted(((label, (min(a, c), min(b, d), max(a, c), max(b, d))) for label, (a, b, c, d) in found), key=key)
    theirs = [Object(label, tuple(value / 128 for value in box)) for label, box in corners]
    ours = [SeenObject(label, (x1, y1, x2 - x1, y2 - y1)) for label, (x1, y1, x2, y2) in corners]
    for task, answer in ANSWERS.items():
        assert answer_text(task, ours, 128, 128) == answer(theirs)
