"""Tracks: what the frames of a video say about each object along time, absences included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sam2vlm.annotations.types import Frame, ObjectAnnotation

__all__ = ["Track", "VisibleInterval", "tracks_of"]


@dataclass(frozen=True, slots=True)
class VisibleInterval:
    """A stretch of neighbouring frames in which an object is visible; both ends belong to it.

    Attributes:
        first_frame: Frame index in the source video.
        last_frame: Frame index in the source video.
        first_sec: Seconds from the video's start.
        last_sec: Seconds from the video's start.
        first_position: Position among the video's annotated frames, from 0: neighbours differ by one, whatever the
            step of the frame indices is.
        last_position: Position among the video's annotated frames.
    """

    first_frame: int
    last_frame: int
    first_sec: float
    last_sec: float
    first_position: int
    last_position: int

    @property
    def frames(self) -> int:
        """How many annotated frames it covers."""
        return self.last_position - self.first_position + 1


@dataclass(frozen=True, slots=True)
class Track:
    """One object of one video (a masklet).

    Attributes:
        video_id: See :class:`sam2vlm.annotations.Frame`.
        object_id: Its identity along the video.
        labels: The labels it carries where it is visible, the most frequent first, equally frequent ones in the
            order in which they come; where it never is visible, those that it is listed with.
        intervals: Where it is visible, in time's order; empty where it never is.
        video_frames: Annotated frames of its video.
        ends_visible: Whether the video's last annotated frame shows it.
    """

    video_id: str
    object_id: int
    labels: tuple[str, ...]
    intervals: tuple[VisibleInterval, ...]
    video_frames: int
    ends_visible: bool

    @property
    def label(self) -> str:
        """Its most frequent label."""
        return self.labels[0]

    @property
    def visible_frames(self) -> int:
        """In how many annotated frames it is visible."""
        return sum(interval.frames for interval in self.intervals)

    @property
    def visibility_changes(self) -> int:
        """How often it goes or comes back after it was first seen, as SA-V counts ``masklet_visibility_changes``."""
        if not self.intervals:
            return 0
        return 2 * (len(self.intervals) - 1) + (not self.ends_visible)

    @property
    def first_frame(self) -> int | None:
        """Frame index where it is first seen; None where it never is."""
        return self.intervals[0].first_frame if self.intervals else None

    @property
    def last_frame(self) -> int | None:
        """Frame index where it is last seen; None where it never is."""
        return self.intervals[-1].last_frame if self.intervals else None

    @property
    def first_sec(self) -> float | None:
        """Seconds from the video's start to where it is first seen; None where it never is."""
        return self.intervals[0].first_sec if self.intervals else None

    @property
    def last_sec(self) -> float | None:
        """Seconds from the video's start to where it is last seen; None where it never is."""
        return self.intervals[-1].last_sec if self.intervals else None


def tracks_of(frames: Iterable[Frame]) -> tuple[Track, ...]:
    """Return the track of every object that a frame lists, sorted by video and object.

    An object is absent from a frame where its mask is empty, and equally where the frame does not list it. Only the
    frames that are given count: neighbours are neighbours among them. Frames are looked at once and not kept.

    Args:
        frames: Those of a video by ascending frame index; videos may take turns.

    Raises:
        DataError: Frames of one video do not ascend.
    """
    videos: dict[str, _Video] = {}
    for frame in frames:
        videos.setdefault(frame.video_id, _Video()).add(frame)
    return tuple(
        track.finished(video_id, object_id, video.frames)
        for video_id, video in sorted(videos.items())
        for object_id, track in sorted(video.tracks.items())
    )


@dataclass(slots=True)
class _Video:
    frames: int = 0
    last_index: int = -1
    tracks: dict[int, _Open] = field(default_factory=dict)

    def add(self, frame: Frame) -> None:
        if frame.frame_index <= self.last_index:
            raise DataError(
                "frames of one video do not ascend",
                source=frame.sample_id,
                field="frame_index",
                expected=f"more than {self.last_index}",
                found=frame.frame_index,
            )
        for item in frame.objects:
            self.tracks.setdefault(item.object_id, _Open()).add(item, frame, self.frames)
        self.frames += 1
        self.last_index = frame.frame_index


@dataclass(slots=True)
class _Open:
    """A track that may go on."""

    intervals: list[VisibleInterval] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    listed: Counter[str] = field(default_factory=Counter)

    def add(self, item: ObjectAnnotation, frame: Frame, position: int) -> None:
        self.listed[item.label] += 1
        if not item.visible:
            return
        self.seen[item.label] += 1
        first = frame.frame_index, frame.timestamp_sec, position
        if self.intervals and self.intervals[-1].last_position == position - 1:
            before = self.intervals.pop()
            first = before.first_frame, before.first_sec, before.first_position
        self.intervals.append(
            VisibleInterval(
                first_frame=first[0],
                last_frame=frame.frame_index,
                first_sec=first[1],
                last_sec=frame.timestamp_sec,
                first_position=first[2],
                last_position=position,
            )
        )

    def finished(self, video_id: str, object_id: int, video_frames: int) -> Track:
        return Track(
            video_id=video_id,
            object_id=object_id,
            labels=tuple(label for label, _count in (self.seen or self.listed).most_common()),
            intervals=tuple(self.intervals),
            video_frames=video_frames,
            ends_visible=bool(self.intervals) and self.intervals[-1].last_position == video_frames - 1,
        )
