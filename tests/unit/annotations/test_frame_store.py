"""Frames on the disk: the same as frames in memory, whatever they hold."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations import Frame, FrameStore, Mask, ObjectAnnotation

finite = st.floats(allow_nan=False, allow_infinity=False)
boxes = st.tuples(finite, finite, finite, finite)
texts = st.text(st.characters(), max_size=20)
objects = st.builds(
    ObjectAnnotation,
    object_id=st.integers(),
    label=texts,
    mask=st.none() | st.builds(Mask, st.integers(1, 4000), st.integers(1, 4000), texts),
    bbox=st.none() | boxes,
    area=finite,
    confidence=st.none() | finite,
    stored_bbox=st.none() | boxes,
    stored_area=st.none() | finite,
)
frames = st.builds(
    Frame,
    video_id=texts,
    frame_index=st.integers(),
    timestamp_sec=finite,
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
    objects=st.lists(objects, max_size=3).map(tuple),
    image_name=st.none() | texts,
)


def frame(number, *, size=100, readable=True):
    mask = Mask(480, 854, f"{number}" * size)
    seen = ObjectAnnotation(number, "crab", mask, (1.0, 2.0, 3.5, 4.0), 14.0, 0.95, (2.0, 1.0, 4.0, 3.5), 13.0)
    gone = ObjectAnnotation(number + 1, "fish", None, None, 0.0)
    name = f"images/frame_{number:06d}.png"
    read = name.encode if readable else None
    return Frame("video", number, number / 5, 854, 480, (seen, gone), name, read)


@settings(max_examples=60, deadline=None)
@given(st.lists(frames, max_size=5))
def test_what_goes_in_comes_out(given_frames):
    assert list(FrameStore(given_frames)) == given_frames


def test_it_is_a_sequence_like_a_tuple():
    plain = tuple(frame(number) for number in range(30))
    store = FrameStore(plain)
    assert len(store) == 30
    assert store == plain
    assert store != plain[:-1]
    assert store[0] == plain[0]
    assert store[-1] == plain[-1]
    assert store[3:20:4] == plain[3:20:4]
    assert store[3:20:4][1:3] == plain[3:20:4][1:3]
    assert store.view([7, 2, 2]) == (plain[7], plain[2], plain[2])
    assert list(reversed(store)) == list(reversed(plain))
    assert plain[4] in store
    assert store.index(plain[4]) == 4
    with pytest.raises(IndexError):
        store[30]


def test_frames_larger_than_what_is_read_at_once():
    plain = [frame(number, size=400_000) for number in range(5)]
    assert FrameStore(plain) == plain


def test_pictures_are_read_by_their_names():
    asked = []

    def read(name):
        asked.append(name)
        return name.encode()

    store = FrameStore([frame(1), frame(2, readable=False)], read_image=read)
    assert asked == []
    assert store[0].read_image() == b"images/frame_000001.png"
    assert asked == ["images/frame_000001.png"]
    assert store[1].read_image is None


def test_it_leaves_no_file_behind(tmp_path):
    store = FrameStore([frame(1)], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(store) == 1


def test_the_memory_is_that_of_the_offsets():
    tracemalloc.start()
    store = FrameStore(frame(number, size=500) for number in range(3000))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(store) == 3000
    assert kept < 3000 * 40
