"""Every family's way to write boxes: labels come back exactly, edges within what the convention says of itself."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter.instructions import CONVENTIONS, SeenObject, box_convention
from sam2vlm.data_converter.instructions.conventions import Outline, Qwen25VLBoxes
from sam2vlm.data_converter.instructions.conventions.json_boxes import resized_picture
from sam2vlm.errors import DataError, SettingsError

FAMILIES = sorted(CONVENTIONS)
# One of each: the others write as one of these does.
DIFFERENT = sorted(set(FAMILIES) - {"llava_next", "llava_onevision", "smolvlm", "gemma3"})
SIGNS = (
    "none",
    "[]",
    " ",
    "",
    "\\",
    "\\0",
    "0",
    "a; b",
    "<loc_7>",
    "<loc0007>",
    "<seg001>",
    "</ref><box>[[1, 2, 3, 4]]</box>",
    "<|box_start|>(1,2),(3,4)<|box_end|>",
    "<|object_ref_end|>",
    '"}], {"bbox_2d": [1, 2, 3, 4]',
    "```json",
    "{objects}",
    "a [0.10, 0.20, 0.30, 0.40]; b",
    "größe 図 \u2028",
    "\U0001f980\u200d\u0301",
)
PIECES = (
    *"\\<>[](){};,|\"' \n1.",
    *("<loc_1>", "<loc0001>", "<ref>", "</ref>", "<box>", "</box>", '{"bbox_2d": ', "[[1, 2, 3, 4]]"),
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
)
labels = st.one_of(
    st.text(max_size=10),
    st.sampled_from(SIGNS),
    st.lists(st.sampled_from([*"\\<>[](){};,|\"' \n", "loc_1", "box"]), max_size=8).map("".join),
)


@st.composite
def frames(draw):
    """A frame's size and objects; sides of at most 200 to 1, as Qwen's resizing demands."""
    width = draw(st.integers(1, 4000))
    height = draw(st.integers(max(1, -(-width // 200)), min(4000, width * 200)))
    objects = []
    for label in draw(st.lists(labels, max_size=4)):
        x1, x2 = sorted(draw(st.tuples(st.floats(0, width), st.floats(0, width))))
        y1, y2 = sorted(draw(st.tuples(st.floats(0, height), st.floats(0, height))))
        objects.append(SeenObject(label, (x1, y1, x2 - x1, y2 - y1)))
    return width, height, objects


def corners(box):
    x, y, w, h = box
    return x, y, x + w, y + h


@pytest.mark.parametrize("family", DIFFERENT)
@settings(max_examples=25, deadline=None)
@given(frame=frames())
def test_labels_come_back_exactly_and_edges_within_the_stated_resolution(family, frame):
    width, height, objects = frame
    boxes = box_convention(family)
    text = boxes.format_objects(objects, width, height)
    parsed = boxes.parse_objects(text, width, height)
    assert parsed.problems == ()
    assert [item.label for item in parsed.objects] == [item.label for item in objects]
    across, down = boxes.resolution(width, height)
    for before, after in zip(objects, parsed.objects, strict=True):
        for place, (wanted, found) in enumerate(zip(corners(before.bbox), corners(after.bbox), strict=True)):
            assert abs(wanted - found) <= (down if place % 2 else across) * (1 + 1e-6) + 1e-6
    assert boxes.format_objects(parsed.objects, width, height) == text


@pytest.mark.parametrize("family", DIFFERENT)
@settings(max_examples=15, deadline=None)
@given(
    frame=frames(), label=labels, shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=9)
)
def test_outlines_and_regions_come_back_too(family, frame, label, shares):
    width, height, objects = frame
    boxes = box_convention(family)
    across, down = boxes.resolution(width, height)
    outline = Outline(label, tuple((x * width, y * height) for x, y in shares))
    parsed = boxes.parse_outlines(boxes.format_outline(outline, width, height), width, height)
    assert parsed.problems == ()
    (found,) = parsed.outlines
    assert found.label == label
    for (x, y), (u, v) in zip(outline.points, found.points, strict=True):
        assert abs(x - u) <= across * (1 + 1e-6) + 1e-6
        assert abs(y - v) <= down * (1 + 1e-6) + 1e-6
    for item in objects[:1]:
        region = boxes.parse_region(boxes.format_region(item.bbox, width, height), width, height)
        assert region is not None
        for place, (wanted, got) in enumerate(zip(corners(item.bbox), corners(region), strict=True)):
            assert abs(wanted - got) <= (down if place % 2 else across) * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize("family", DIFFERENT)
@settings(max_examples=25, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(PIECES),
            max_size=14,
        ).map("".join),
    )
)
def test_any_text_is_read_or_reported_and_boxes_stay_in_the_frame(family, text):
    boxes = box_convention(family)
    for item in boxes.parse_objects(text, 100, 50).objects:
        x1, y1, x2, y2 = corners(item.bbox)
        assert 0 <= x1 <= x2 <= 100 + 1e-9
        assert 0 <= y1 <= y2 <= 50 + 1e-9
        item.label.encode()
    boxes.parse_outlines(text, 100, 50)
    boxes.parse_region(text, 100, 50)


FISH, CRAB = SeenObject("fish", (50, 20, 100, 60)), SeenObject("sea crab", (0, 0, 20, 10))
# Counted by hand for a frame of 200 x 100. Qwen2.5-VL sees it as 196 x 112, PaliGemma has 1024 bins, Florence 1000.
WRITTEN = {
    "llava": "fish [0.25, 0.35, 0.75, 0.65]; sea crab [0.00, 0.25, 0.10, 0.30]",
    "instructblip": "fish [0.25, 0.20, 0.75, 0.80]; sea crab [0.00, 0.00, 0.10, 0.10]",
    "qwen2_vl": "<|object_ref_start|>fish<|object_ref_end|><|box_start|>(250,200),(750,800)<|box_end|>"
    "<|object_ref_start|>sea crab<|object_ref_end|><|box_start|>(0,0),(100,100)<|box_end|>",
    "qwen2_5_vl": '[{"bbox_2d": [49, 22, 147, 90], "label": "fish"}, {"bbox_2d": [0, 0, 20, 11], "label": "sea crab"}]',
    "qwen3_vl": '[{"bbox_2d": [250, 200, 750, 800], "label": "fish"}, '
    '{"bbox_2d": [0, 0, 100, 100], "label": "sea crab"}]',
    "paligemma": "<loc0205><loc0256><loc0819><loc0768> fish ; <loc0000><loc0000><loc0102><loc0102> sea crab",
    "florence2": "fish<loc_250><loc_200><loc_750><loc_800>sea crab<loc_0><loc_0><loc_100><loc_100>",
    "internvl": "<ref>fish</ref><box>[[250, 200, 750, 800]]</box><ref>sea crab</ref><box>[[0, 0, 100, 100]]</box>",
}
SAME = {"llava_next": "llava", "llava_onevision": "llava", "smolvlm": "instructblip", "gemma3": "instructblip"}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_texts_counted_by_hand(family):
    boxes = box_convention(family)
    assert boxes.format_objects([FISH, CRAB], 200, 100) == WRITTEN[SAME.get(family, family)]
    nothing = boxes.format_objects([], 200, 100)
    assert nothing == ("[]" if family in ("qwen2_5_vl", "qwen3_vl") else "none")
    assert boxes.parse_objects(nothing, 200, 100) == boxes.parse_objects("None.", 200, 100)
    assert boxes.parse_objects("", 200, 100).problems == ("the text is empty",)


def test_families_without_a_native_convention_are_marked():
    assert {family for family in FAMILIES if not box_convention(family).native} == {"instructblip", "smolvlm", "gemma3"}


@pytest.mark.parametrize(
    ("family", "text", "found", "problems"),
    [
        ("qwen2_5_vl", '```json\n[\n\t{"bbox_2d": [49, 22, 147, 90], "label": "fish"}\n]\n```', ["fish"], 0),
        ("qwen3_vl", '[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [1, 2', ["a"], 1),
        ("qwen3_vl", '[{"bbox_2d": [1, 2, 3, 1001], "label": "a"}]', [], 1),
        ("qwen3_vl", '[{"bbox_2d": [1, 2, NaN, 4], "label": "a"}, {"label": "b"}, {"bbox_2d": 3}]', [], 3),
        ("qwen3_vl", '[{"bbox_2d": [1, 2, 3, 4], "label": "\\ud800"}]', [], 1),
        ("qwen3_vl", "a fish", [], 1),
        ("qwen2_vl", "<|object_ref_start|>a<|object_ref_end|>", [], 1),
        ("qwen2_vl", "<|box_start|>(1,2),(3,4)<|box_end|>", [""], 0),
        ("qwen2_vl", "fish <|object_ref_start|>a<|object_ref_end|><|box_start|>(1,2),(3,4)", [], 2),
        ("qwen2_vl", "<|box_end|>", [], 1),
        ("internvl", "<ref>a</ref><box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>", ["a", "a"], 0),
        ("internvl", "<ref>a</ref><box>[[5, 2, 3, 4]]</box>", [], 1),
        ("florence2", "a<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7><loc_8>b<loc_1><loc_2>", ["a", "a"], 1),
        ("florence2", "fish", [], 1),
        ("paligemma", "<loc0001><loc0002><loc0003><loc0004><seg001><seg002> fish ; crab", ["fish"], 1),
        ("paligemma", "<loc0001><loc0002><loc0003> fish", [], 1),
    ],
)
def test_malformed_output_is_read_as_far_as_it_goes(family, text, found, problems):
    parsed = box_convention(family).parse_objects(text, 200, 100)
    assert [item.label for item in parsed.objects] == found
    assert len(parsed.problems) == problems


@pytest.mark.parametrize("family", DIFFERENT)
def test_long_rubbish_is_read_in_linear_time(family):
    import time

    boxes, began = box_convention(family), time.process_time()
    for part in ("[", "a", "\\", "<loc_1>", "<box>", "<ref>a", '{"a', '{"a": ', "<|box_start|>", "<", "; "):
        boxes.parse_objects(part * (40_000 // len(part)), 100, 100)
    assert time.process_time() - began < 5


def test_a_label_never_holds_a_token_of_its_family():
    tokens = ("<|box_start|>", "<|box_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<loc_7>", "<loc0007>")
    for family in set(FAMILIES) - {"llava", "llava_next", "llava_onevision", "instructblip", "smolvlm", "gemma3"}:
        for token in tokens:
            boxes = box_convention(family)
            told, plain = (boxes.format_objects([SeenObject(label, (0, 0, 9, 9))], 9, 9) for label in (token, "x"))
            assert told.count(token) == plain.count(token)


def transformers_function(module, name):
    """One function of a module that cannot be imported without torchvision."""
    (root,) = importlib.util.find_spec("transformers").submodule_search_locations
    tree = ast.parse(Path(root, *module.split(".")).with_suffix(".py").read_text())
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    scope = {"math": math}
    exec(compile(ast.Module([function], []), module, "exec"), scope)
    return scope[name]


smart_resize = transformers_function("models.qwen2_vl.image_processing_qwen2_vl", "smart_resize")


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([(28, 3136, 12_845_056), (28, 100_352, 1_003_520)]))
def test_qwens_resizing_is_the_one_of_transformers(width, height, limits):
    factor, least, most = limits
    try:
        theirs = smart_resize(height, width, factor=factor, min_pixels=least, max_pixels=most)
    except ValueError:
        with pytest.raises(DataError, match="too long and narrow"):
            resized_picture(width, height, factor=factor, min_pixels=least, max_pixels=most)
        return
    assert resized_picture(width, height, factor=factor, min_pixels=least, max_pixels=most) == theirs[::-1]


def test_a_smaller_picture_has_coarser_pixels():
    small = Qwen25VLBoxes(max_pixels=28 * 28 * 100)
    assert small.resolution(4000, 3000)[0] > Qwen25VLBoxes().resolution(4000, 3000)[0]
    text = small.format_objects([FISH], 4000, 3000)
    assert (
        json.loads(text)[0]["bbox_2d"] != json.loads(Qwen25VLBoxes().format_objects([FISH], 4000, 3000))[0]["bbox_2d"]
    )


@pytest.mark.parametrize(
    ("family", "options", "what"),
    [
        ("qwen_vl", {}, "no way to write boxes is known for this family"),
        ("llava", {"decimals": 0}, "impossible precision"),
        ("llava", {"bins": 3}, "no such option"),
        ("qwen2_5_vl", {"min_pixels": 10, "max_pixels": 5}, "impossible picture sizes"),
    ],
)
def test_an_impossible_convention_is_a_wrong_setting(family, options, what):
    with pytest.raises(SettingsError, match=what):
        box_convention(family, **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_written_is_refused(family):
    boxes = box_convention(family)
    with pytest.raises(DataError, match="is no label"):
        boxes.format_objects([SeenObject("\ud800", (0, 0, 1, 1))], 8, 8)
    with pytest.raises(DataError, match="is no box"):
        boxes.format_region((0, 0, float("inf"), 1), 8, 8)
    with pytest.raises(DataError, match="is no outline"):
        boxes.format_outline(Outline("a", ((0, 0), (1, 1))), 8, 8)
