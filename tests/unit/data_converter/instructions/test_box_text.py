"""Boxes to text and back: every label exactly, every box within the text's precision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations import ObjectAnnotation
from sam2vlm.data_converter.instructions import LlavaBoxes, SeenObject, format_objects, parse_objects
from sam2vlm.errors import DataError, SettingsError

labels = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="\\[]; ,.01\nnoe", max_size=12),
    st.sampled_from(["none", "a [0.10, 0.20, 0.30, 0.40]; b", " x ", "\\", "", "[", "];", "größe; 図", "\u2028"]),
)


@st.composite
def scenes(draw):
    width, height = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    objects = []
    for label in draw(st.lists(labels, max_size=5)):
        x1, x2 = sorted(draw(st.tuples(st.floats(0, width), st.floats(0, width))))
        y1, y2 = sorted(draw(st.tuples(st.floats(0, height), st.floats(0, height))))
        objects.append(SeenObject(label, (x1, y1, x2 - x1, y2 - y1)))
    return width, height, objects, draw(st.integers(1, 6))


@given(scenes())
def test_labels_come_back_exactly_and_boxes_within_the_precision(scene):
    width, height, objects, decimals = scene
    text = format_objects(objects, width, height, decimals)
    parsed = parse_objects(text, width, height)
    assert parsed.problems == ()
    assert [item.label for item in parsed.objects] == [item.label for item in objects]
    step = max(width, height) * 10**-decimals
    for before, after in zip(objects, parsed.objects, strict=True):
        for low, high, start, length in ((0, width, 0, 2), (0, height, 1, 3)):
            corners = (before.bbox[start], before.bbox[start] + before.bbox[length])
            found = (after.bbox[start], after.bbox[start] + after.bbox[length])
            for corner, came in zip(corners, found, strict=True):
                # Half a step of rounding; at the far edge the text ends one step below 1.
                allowed = 0.5 if corner < high - step else 1.0
                assert abs(came - corner) <= allowed * step * (1 + 1e-6) + 1e-6
                assert low <= came <= high + 1e-6


@given(scenes())
def test_what_was_read_writes_the_same_text(scene):
    width, height, objects, decimals = scene
    text = format_objects(objects, width, height, decimals)
    assert format_objects(parse_objects(text, width, height).objects, width, height, decimals) == text


@given(st.text(alphabet=st.sampled_from("\\[]; ,.01ab\n"), max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_reported(text):
    parsed = parse_objects(text, 100, 50)
    for item in parsed.objects:
        x, y, w, h = item.bbox
        assert 0 <= x <= x + w <= 100 + 1e-9
        assert 0 <= y <= y + h <= 50 + 1e-9
    said = text.strip().rstrip(".").casefold()
    assert parsed.objects or parsed.problems or said == "none" or not said.replace(";", "").strip()


def test_a_wide_frame_counted_by_hand():
    # 200 x 100 pads to 200 x 200 with 50 above: y 20 becomes (20 + 50) / 200
    text = format_objects([{"label": "fish", "bbox": [50, 20, 100, 60]}], 200, 100)
    assert text == "fish [0.25, 0.35, 0.75, 0.65]"
    (item,) = parse_objects(text, 200, 100).objects
    assert item.bbox == pytest.approx((50, 20, 100, 60))


def test_a_tall_frame_with_an_odd_pad_counted_by_hand():
    # 101 x 200: (200 - 101) // 2 = 49 on the left
    assert format_objects([SeenObject("a", (1, 0, 100, 200))], 101, 200) == "a [0.25, 0.00, 0.75, 0.99]"


def test_more_decimals():
    assert format_objects([SeenObject("a", (0, 0, 1, 3))], 8, 8, 4) == "a [0.0000, 0.0000, 0.1250, 0.3750]"


def test_nothing_and_objects_that_are_not_visible():
    hidden = ObjectAnnotation(object_id=1, label="a", mask=None, bbox=None, area=0.0)
    assert format_objects([], 8, 8) == format_objects([hidden], 8, 8) == "none"
    for text in ("none", " None. ", "NONE"):
        assert parse_objects(text, 8, 8).objects == parse_objects(text, 8, 8).problems == ()


@pytest.mark.parametrize(
    ("text", "labels", "problems"),
    [
        ("", [], ["the text is empty"]),
        ("fish", [], ["'fish' has no box"]),
        ("fish [0.1, 0.2, 0.3, 0.4]", ["fish"], []),
        ("fish[.1,.2,1,1.]", ["fish"], []),
        ("fish [0.1, 0.2, 0.3, 0.4] crab [0.1, 0.2, 0.3, 0.4]", ["fish", "crab"], []),
        ("fish [0.1, 0.2, 0.3, 0.4];", ["fish"], []),
        (
            "fish [0.1, 0.2, 0.3]; crab [0.1, 0.2, 0.3, 0.4]",
            ["crab"],
            ["'0.1, 0.2, 0.3' is no box of four numbers from 0 to 1"],
        ),
        ("fish [0.1, 0.2, 0.3, 1.4]", [], ["'0.1, 0.2, 0.3, 1.4' is no box of four numbers from 0 to 1"]),
        ("fish [0.1, 0.2, nan, 0.4]", [], ["'0.1, 0.2, nan, 0.4' is no box of four numbers from 0 to 1"]),
        ("fish [0.5, 0.2, 0.3, 0.4]", [], ["the box [0.5, 0.2, 0.3, 0.4] ends before it begins"]),
        ("fish [0.1, 0.2", [], ["the box of 'fish' is not closed before the end"]),
        (
            "fish [0.1, [0.1, 0.2, 0.3, 0.4]",
            [],
            ["the box of 'fish' is not closed before [", "'0.1, 0.2, 0.3, 0.4' has no box"],
        ),
        ("]", [], ["a bracket closes that none has opened"]),
        ("none; fish [0.1, 0.2, 0.3, 0.4]", ["fish"], ["'none' has no box"]),
    ],
)
def test_malformed_output_is_read_as_far_as_it_goes(text, labels, problems):
    parsed = parse_objects(text, 100, 100)
    assert [item.label for item in parsed.objects] == labels
    assert list(parsed.problems) == problems


def test_long_rubbish_is_read_in_linear_time():
    import time

    began = time.process_time()
    for rubbish in ("[" * 200_000, "a" * 200_000, "\\" * 200_001, "a;" * 100_000, " " * 200_000, "0" * 200_000):
        parse_objects(rubbish, 100, 100)
        parse_objects(f"a [{rubbish}, 0, 0, 0]", 100, 100)
    assert time.process_time() - began < 5


def test_what_cannot_be_written_is_refused_up_front():
    with pytest.raises(DataError, match="is no label"):
        format_objects([SeenObject("\ud800", (0, 0, 1, 1))], 8, 8)
    with pytest.raises(DataError, match="is no box"):
        format_objects([SeenObject("a", (0, 0, float("nan"), 1))], 8, 8)
    for decimals in (0, 7):
        with pytest.raises(SettingsError, match="impossible precision"):
            format_objects([], 8, 8, decimals)


def test_the_convention_as_an_object():
    boxes = LlavaBoxes(decimals=3)
    text = boxes.format_objects([SeenObject("a", (0, 0, 4, 4))], 8, 8)
    assert text == "a [0.000, 0.000, 0.500, 0.500]"
    assert boxes.parse_objects(text, 8, 8).objects[0].bbox == (0, 0, 4, 4)
