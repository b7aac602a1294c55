"""Questions about videos, answered by hand; off unless somebody asks for them."""

from __future__ import annotations

import json

import pytest

from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes, box_convention
from sam2vlm.data_converter.instructions.over_time import MOST_FRAMES, video_questions
from sam2vlm.data_converter.video_questions import write_video_questions

MIX = InstructionMix(weights={"detect": 1.0, "first_last": 1.0, "intervals": 1.0, "track": 1.0}, per_frame=1)


def answers(frames, mix=MIX):
    return {(item.object_id, item.task): item for item in video_questions(frames, mix)}


def test_times_and_boxes_of_a_track_that_leaves_and_comes_back(thing, frame_of):
    box = (12, 20, 60, 20)
    frames = [
        frame_of(
            thing(1, "crab", box if shown else None), thing(2, "eel", (0, 0, 9, 9)), index=number, seconds=number / 4
        )
        for number, shown in enumerate([False, True, True, False, True])
    ]
    found = answers(frames[::-1])
    assert found[1, "first_last"].written(LlavaBoxes())[1] == "First at 0.25 s, last at 1.00 s."
    assert found[1, "intervals"].written(LlavaBoxes())[1] == "0.25 s to 0.50 s and 1.00 s to 1.00 s"
    region = "[0.10, 0.33, 0.60, 0.50]"  # 20 rows of padding above the 80 rows of a square of 120
    assert found[1, "track"].written(LlavaBoxes())[1] == f"0.25 s: {region}; 0.50 s: {region}; 1.00 s: {region}"
    assert "<loc_100>" in found[1, "track"].written(box_convention("florence2"))[1]
    assert found[1, "track"].frames == tuple(f"v/00000{number}" for number in range(5))
    assert found[2, "first_last"].written(LlavaBoxes())[1] == "First at 0.00 s, last at 1.00 s."
    assert all("{" not in item.written(LlavaBoxes())[0] for item in found.values())


def test_a_label_that_two_tracks_have_means_neither(thing, frame_of):
    frames = [frame_of(thing(1, "crab", (0, 0, 9, 9)), thing(2, "Crab", (50, 0, 9, 9)), thing(3, "", (90, 0, 9, 9)))]
    assert answers(frames) == {}
    one_each = [frame_of(thing(1, "crab", (0, 0, 9, 9)), video=video) for video in ("v", "w")]
    assert len(list(video_questions(one_each, MIX))) == 6


def test_a_long_video_is_asked_about_as_many_frames_as_a_model_takes(thing, frame_of):
    frames = [frame_of(thing(1, "crab", (0, 0, 9, 9)), index=number) for number in range(500)]
    item = answers(frames)[1, "track"]
    assert len(item.frames) == len(item.places) == MOST_FRAMES
    assert (item.frames[0], item.frames[-1]) == ("v/000000", "v/000499")


def test_braces_in_a_label_are_letters(thing, frame_of):
    item = answers([frame_of(thing(1, "{places}", (0, 0, 9, 9)))])[1, "first_last"]
    assert "{places}" in item.written(LlavaBoxes())[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_they_are_written_apart_and_the_same_every_time(thing, frame_of, tmp_path, language):
    mix = InstructionMix(weights=MIX.weights, per_frame=1, language=language)
    splits = {"train": [frame_of(thing(1, "größe", (0, 0, 9, 9)), index=number) for number in range(3)], "val": []}
    for name in ("one", "two"):
        assert write_video_questions(splits, tmp_path / name, mix=mix) == {"train": 3, "val": 0}
    content = (tmp_path / "one" / "train.jsonl").read_bytes()
    assert content == (tmp_path / "two" / "train.jsonl").read_bytes()
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert [row["task"] for row in rows] == ["first_last", "intervals", "track"]
    assert rows[2]["places"][0]["bbox"] == [0, 0, 9, 9]


def test_they_are_off_by_default(thing, frame_of, tmp_path):
    frames = [frame_of(thing(1, "crab", (0, 0, 9, 9)))]
    assert write_video_questions({"train": frames}, tmp_path / "videos", mix=InstructionMix()) == {}
    assert not (tmp_path / "videos").exists()
