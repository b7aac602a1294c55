"""Conversations from elsewhere: every row is checked, counted or refused with its line and field."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes, written
from sam2vlm.data_converter.instructions.general_data import read_general_data
from sam2vlm.errors import DataError


def user(text="What is it?", picture="pictures/a.png", kind="image_url"):
    image = {"type": "image_url", "image_url": {"url": picture}} if kind == "image_url" else {"type": kind}
    return {"role": "user", "content": [image, {"type": "text", "text": text}]}


ANSWER = {"role": "assistant", "content": "A {cat}."}
GOOD = {"messages": [user(), ANSWER]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name, size in (("a.png", (8, 6)), ("b.jpg", (4, 5))):
        Image.new("RGB", size).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "text.png").write_text("no picture")
    return tmp_path


def file_of(folder, *rows):
    path = folder / "general.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_becomes_a_frame_without_objects_that_brings_its_question(folder):
    other = {
        "messages": [{"role": "user", "content": "<image>\nAnd this?"}, {"role": "assistant", "content": "größe"}],
        "images": ["pictures/b.jpg"],
    }
    data = read_general_data(file_of(folder, GOOD, "", other), wanted=9, seed=1)
    assert (data.seen, data.left_out) == (2, {})
    assert [(frame.frame_index, frame.width, frame.height) for frame in data.frames] == [(1, 8, 6), (3, 4, 5)]
    assert data.frames[0].video_id == f"general-{data.digest[:12]}"
    assert data.frames[1].read_image() == (folder / "pictures" / "b.jpg").read_bytes()
    told = [
        written(item, frame.objects, frame.width, frame.height, LlavaBoxes())
        for frame in data.frames
        for item in InstructionMix().for_frame(frame)
    ]
    assert told == [("What is it?", "A {cat}."), ("And this?", "größe")]
    assert str(folder) not in data.frames[0].image_name


def test_our_own_messages_can_be_read(folder):
    ours = {"id": "x", "messages": [user(kind="image"), ANSWER], "images": ["pictures/a.png"]}
    ours["messages"][1] = {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}
    (frame,) = read_general_data(file_of(folder, ours), wanted=1, seed=1).frames
    assert frame.instruction.answer == "Yes."


def test_what_training_cannot_take_is_counted_by_reason(folder):
    rows = [
        GOOD,
        {"messages": [{"role": "system", "content": "Be brief."}, user(), ANSWER]},
        {"messages": [user(), ANSWER, user(), ANSWER]},
        {"messages": [{"role": "user", "content": "Hello"}, ANSWER]},
        {"messages": [user(), ANSWER], "images": ["pictures/b.jpg"]},
    ]
    data = read_general_data(file_of(folder, *rows), wanted=9, seed=1)
    assert len(data.frames) == 1
    assert data.left_out == {
        "no_picture": 1,
        "not_one_question_and_answer": 1,
        "several_pictures": 1,
        "system_prompt": 1,
    }


def test_the_choice_is_seeded_and_in_the_files_order(folder):
    path = file_of(folder, *[{"messages": [user(f"{number}?"), ANSWER]} for number in range(30)])
    chosen = [read_general_data(path, wanted=10, seed=seed) for seed in (1, 1, 2)]
    lines = [[frame.frame_index for frame in data.frames] for data in chosen]
    assert lines[0] == lines[1] == sorted(lines[0])
    assert lines[0] != lines[2]
    assert chosen[0].left_out == {"not_drawn": 20}
    assert read_general_data(path, wanted=0, seed=1).frames == ()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{", "line 2: is no JSON"),
        ("[" * 100_000, "line 2: is no JSON"),
        ("3", "line 2: is no row"),
        ({}, "line 2: messages: are no messages"),
        ({"messages": {}}, "line 2: messages: are no messages"),
        ({"messages": [3]}, r"line 2: messages\[0\]\.role: is no role"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"messages\[0\]\.role: is no role .*found robot"),
        ({"messages": [{"role": "user"}, ANSWER]}, r"messages\[0\]\.content: is no content"),
        ({"messages": [{"role": "user", "content": [3]}, ANSWER]}, r"messages\[0\]\.content\[0\]: is no part"),
        ({"messages": [user(), ANSWER], "images": "a.png"}, "images: is no list of pictures"),
        ({"messages": [user(" "), ANSWER]}, r"messages\[0\]\.content: is empty"),
        ({"messages": [user("\ud800"), ANSWER]}, r"messages\[0\]\.content\[1\]: is no Unicode text"),
        ({"messages": [user(picture=3), ANSWER]}, "picture: is no path"),
        ({"messages": [user(picture="../a.png"), ANSWER]}, "picture: leads outside"),
        ({"messages": [user(picture="/etc/passwd"), ANSWER]}, "picture: leads outside"),
        ({"messages": [user(picture="https://x.org/a.png"), ANSWER]}, "picture: leads outside"),
        ({"messages": [user(picture="pictures/none.png"), ANSWER]}, "picture: is no picture.*no such file"),
        ({"messages": [user(picture="pictures"), ANSWER]}, "picture: is no picture"),
        ({"messages": [user(picture="pictures/text.png"), ANSWER]}, "picture: is no picture.*something else"),
        ({"messages": [user(picture="out.png"), ANSWER]}, "picture: leads outside"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(folder, row, sentence, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "a.png"
    Image.new("RGB", (3, 3)).save(outside)
    (folder / "out.png").symlink_to(outside)
    with pytest.raises(DataError, match=sentence) as told:
        read_general_data(file_of(folder, GOOD, row), wanted=9, seed=1)
    assert "general.jsonl" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_or_has_an_endless_line(folder):
    with pytest.raises(DataError, match="while reading the general data"):
        read_general_data(folder / "none.jsonl", wanted=1, seed=1)
    with pytest.raises(DataError, match="line 1: is too long"):
        read_general_data(file_of(folder, " " * 1_000_001), wanted=1, seed=1)
