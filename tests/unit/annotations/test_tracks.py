"""Visibility along time, against hand-counted cases and a frame-by-frame recount."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.annotations import Frame, Mask, ObjectAnnotation, tracks_of
from sam2vlm.errors import DataError

SPECK = Mask(height=2, width=2, counts="022")


def thing(object_id, *, seen=True, label="fish"):
    return ObjectAnnotation(
        object_id=object_id,
        label=label,
        mask=SPECK if seen else None,
        bbox=(0, 0, 1, 1) if seen else None,
        area=float(seen),
    )


def frame(index, *objects, video="v"):
    return Frame(video_id=video, frame_index=index, timestamp_sec=index / 24, width=2, height=2, objects=objects)


def track_along(pattern, *, step=4):
    """The track of one object that is visible (x), listed and empty (o), or not listed (.) frame by frame."""
    listed = {"x": (thing(1),), "o": (thing(1, seen=False),), ".": ()}
    (track,) = tracks_of(frame(step * place, *listed[what]) for place, what in enumerate(pattern))
    return track


def test_intervals_are_inclusive_and_carry_indices_seconds_and_positions():
    track = track_along("oxx.xo")
    assert [(part.first_frame, part.last_frame) for part in track.intervals] == [(4, 8), (16, 16)]
    assert [(part.first_position, part.last_position, part.frames) for part in track.intervals] == [
        (1, 2, 2),
        (4, 4, 1),
    ]
    assert (track.first_frame, track.last_frame) == (4, 16)
    assert (track.first_sec, track.last_sec) == (4 / 24, 16 / 24)
    assert (track.visible_frames, track.video_frames, track.ends_visible) == (3, 6, False)


@pytest.mark.parametrize(
    ("pattern", "changes"),
    [("xxx", 0), ("oox", 0), ("xo", 1), ("xox", 2), ("x..o", 1), (".xoxo", 3), ("ooo", 0), ("oxoxoxx", 4)],
)
def test_changes_are_counted_from_the_first_sight_on(pattern, changes):
    assert track_along(pattern).visibility_changes == changes


def test_an_object_that_is_never_visible_is_a_track_without_intervals():
    track = track_along("oo")
    assert (track.intervals, track.first_frame, track.last_sec, track.label) == ((), None, None, "fish")


def test_not_listed_is_the_same_as_empty():
    assert track_along("x.x..x") == track_along("xoxoox")


def test_the_most_frequent_label_of_the_visible_frames_comes_first():
    labels = ["crab", "fish", "fish", "eel", "crab"]
    (track,) = tracks_of(frame(place, thing(1, label=label)) for place, label in enumerate(labels))
    assert track.labels == ("crab", "fish", "eel")
    unseen = [frame(place, thing(1, seen=False, label="stone")) for place in range(9, 19)]
    seen = [frame(place, thing(1, label=label)) for place, label in enumerate(labels)]
    assert tracks_of([*seen, *unseen])[0].label == "crab"


def test_equal_ids_of_two_videos_are_two_tracks_and_videos_may_take_turns():
    frames = [frame(0, thing(1), video="b"), frame(0, thing(1), video="a"), frame(1, thing(1), video="b")]
    assert [(track.video_id, track.visible_frames) for track in tracks_of(frames)] == [("a", 1), ("b", 2)]


def test_frames_that_do_not_ascend_are_refused():
    with pytest.raises(DataError, match=r"v/000003: frame_index: .* \(expected more than 3; found 3\)"):
        tracks_of([frame(3), frame(3)])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_a_recount_frame_by_frame_agrees(seen_by_frame):
    frames = [
        frame(3 * place, thing(1, seen=one), thing(2, seen=two)) for place, (one, two) in enumerate(seen_by_frame)
    ]
    for track, seen in zip(tracks_of(frames), zip(*seen_by_frame, strict=True), strict=True):
        covered = {place for part in track.intervals for place in range(part.first_position, part.last_position + 1)}
        assert covered == {place for place, visible in enumerate(seen) if visible}
        after = seen[seen.index(True) :] if any(seen) else ()
        assert track.visibility_changes == sum(a != b for a, b in itertools.pairwise(after))
        assert track.visible_frames == sum(seen)
