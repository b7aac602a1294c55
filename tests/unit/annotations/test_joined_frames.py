"""Sequences over sequences of frames say what a list of the same frames says."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations import Frame
from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.annotations.joined_frames import ChangedFrames, JoinedFrames, PickedFrames, joined


def frames(count, video="v"):
    return [Frame(video, index, index / 10, 8, 6, ()) for index in range(count)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=4), st.data())
def test_joined_frames_are_their_parts_one_behind_the_other(sizes, data):
    parts = [frames(size, f"v{number}") for number, size in enumerate(sizes)]
    flat = [frame for part in parts for frame in part]
    whole = JoinedFrames([FrameStore(part) for part in parts])
    assert list(whole) == flat
    assert whole == flat
    assert [whole[row] for row in range(len(whole))] == flat
    begin, end = data.draw(st.integers(-5, 5)), data.draw(st.integers(-5, 5))
    assert whole[begin:end] == flat[begin:end]
    rows = data.draw(st.lists(st.integers(0, len(flat) - 1), max_size=5)) if flat else []
    assert whole.view(rows) == [flat[row] for row in rows]
    assert PickedFrames(whole, rows) == [flat[row] for row in rows]


def test_a_change_is_seen_however_frames_are_taken():
    changed = ChangedFrames(frames(3), lambda frame: replace(frame, video_id="w"))
    assert [frame.video_id for frame in changed] == ["w"] * 3
    assert changed[-1].sample_id == "w/000002"
    assert changed[1:] == frames(3, "w")[1:]


def test_one_part_stays_as_it_is_and_rows_end_where_they_end():
    one = frames(2)
    assert joined([one]) is one
    with pytest.raises(IndexError):
        joined([one, one])[4]
