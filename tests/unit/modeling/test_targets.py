"""From the dataset's rows, of this version and the first, to a family's words."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset, Features, List, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

from sam2vlm.data_converter.instructions import LlavaBoxes, box_convention
from sam2vlm.data_converter.instructions.instruction import Instruction
from sam2vlm.errors import DataError
from sam2vlm.modeling.targets import targets_of
from tests.training_runs import FEATURES, frame, split

INSTRUCTIONS = List(
    {
        **{name: Value("string") for name in ("task", "prompt", "language", "answer", "label")},
        "object_id": Value("int64"),
        "region": List(Value("float64")),
        "outline": List(Value("float64")),
    }
)


def rows_of(*instructions):
    row = {**frame(1), "instructions": [item.row() for item in instructions]}
    return Dataset.from_list([row], features=Features({**FEATURES, "instructions": INSTRUCTIONS}))


def test_a_dataset_of_the_first_version_gives_what_it_always_gave():
    rows = split(2, tasks=("detect", "count", "describe"))
    targets = targets_of(rows, boxes=LlavaBoxes())
    objects = rows[0]["objects"]
    assert [item.prompt for item in targets[:3]] == [item["prompt"] for item in rows[0]["instructions"]]
    assert targets[0].answer.count("[") == len(objects)
    assert targets[1].answer == str(len(objects))
    assert targets[2].answer.startswith("There ")


def test_prompts_of_the_first_version_have_no_places():
    row = {**frame(1), "instructions": [{"task": "count", "prompt": "How {many}}?", "language": "en"}]}
    (target,) = targets_of(Dataset.from_list([row], features=FEATURES), boxes=LlavaBoxes())
    assert target.prompt == "How {many}}?"


def test_the_new_fields_become_text():
    (thing, *_others) = frame(1)["objects"]
    x, y, w, h = thing["bbox"]
    rows = rows_of(
        Instruction("locate", "Where?", "en", answer="{object}", object_id=thing["object_id"]),
        Instruction("name", "What is at {region}?", "en", answer="a {{b}}", region=(x, y, w, h)),
        Instruction(
            "polygon",
            "Trace.",
            "en",
            answer="{outline}",
            object_id=thing["object_id"],
            outline=(x, y, x + w, y, x, y + h),
        ),
        Instruction("general", "Why {{so}}?", "und", answer="42"),
    )
    boxes = box_convention("qwen3_vl")
    located, named, traced, general = targets_of(rows, boxes=boxes)
    assert located.answer == boxes.format_objects([thing], 96, 64)
    assert (named.prompt, named.answer) == (f"What is at {boxes.format_region((x, y, w, h), 96, 64)}?", "a {b}")
    assert boxes.parse_outlines(traced.answer, 96, 64).outlines[0].label == thing["label"]
    assert (general.prompt, general.answer, general.sample_id) == ("Why {so}?", "42", "video/000001#general")
    assert targets_of(rows, boxes=LlavaBoxes())[0].answer.startswith(f"{thing['label']} [0.")


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        (Instruction("dance", "?", "en"), "was written by another version of sam2vlm; prepare the export again"),
        (Instruction("locate", "?", "en", answer="{object}", object_id=77), "not visible in its frame .*found 77"),
        (Instruction("locate", "?", "en", answer="{object}"), "not visible in its frame"),
        (Instruction("name", "{region}?", "en", answer="a"), r"has a place that nothing fills .*found \{region\}"),
        (Instruction("name", "?", "en", answer="{soul}"), "has a place that nothing fills"),
        (Instruction("name", "?", "en", answer="a", region=(1.0, 2.0)), "is no box"),
        (Instruction("polygon", "?", "en", answer="b", outline=(1.0,)), "is no polygon"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_sentence_with_its_frame(instruction, sentence):
    with pytest.raises(DataError, match=sentence) as told:
        targets_of(rows_of(instruction), boxes=LlavaBoxes())
    assert str(told.value).startswith("video/000001: ")
    assert "\n" not in str(told.value)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_florences_places_are_those_of_its_processor(width, height, shares):
    (x1, x2), (y1, y2) = sorted(shares[:2]), sorted(shares[2:])
    box = (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)
    theirs = Florence2PostProcessor.__new__(Florence2PostProcessor)
    theirs.quantize_bins = (1000, 1000)
    corners = torch.tensor([[box[0], box[1], box[0] + box[2], box[1] + box[3]]], dtype=torch.float64)
    wanted = theirs.quantize(corners, (width, height))[0].tolist()
    text = box_convention("florence2").format_region(box, width, height)
    told = [int(part) for part in text.replace("<loc_", "").split(">")[:-1]]
    # A corner exactly on a mark may fall to either side: theirs divides by a bin's width, ours by the picture's.
    bins = (corners[0] / torch.tensor([width, height] * 2) * 1000).tolist()
    on_marks = [abs(value - round(value)) < 1e-6 for value in bins]
    assert all(a == b or (mark and abs(a - b) == 1) for a, b, mark in zip(told, wanted, on_marks, strict=True))
