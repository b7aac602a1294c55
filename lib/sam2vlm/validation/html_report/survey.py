"""One pass over the frames: what the report's charts are drawn from, without keeping the frames."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sam2vlm.annotations.types import Frame, ObjectAnnotation

__all__ = [
    "NAMELESS",
    "NO_SPLIT",
    "SIZE_BINS",
    "FrameKey",
    "LabelCounts",
    "Survey",
    "Video",
    "Visibility",
    "size_of_edge",
    "survey_frames",
]

#: ``(video_id, frame_index)``, as a finding names its frame.
FrameKey = tuple[str, int]

NAMELESS = "(no label)"
NO_SPLIT = "in no split"
#: Bins of object sizes: ten to a power of ten, from 0.001 % of the frame's area to all of it.
SIZE_BINS = 50
_SMALLEST_EXPONENT = -3.0
_BINS_TO_TEN = 10


@dataclass(slots=True)
class LabelCounts:
    """Of one label.

    Attributes:
        objects: Times that an object of it is visible.
        frames: Frames with at least one.
        tracks: Distinct objects.
        splits: Visible objects by split.
        sizes: Visible objects by bin of their share of the frame's area; :func:`size_bin` says which.
    """

    objects: int = 0
    frames: int = 0
    tracks: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=lambda: [0] * SIZE_BINS)


@dataclass(slots=True)
class Visibility:
    """One object along its video, whatever the video's frames are like.

    :func:`sam2vlm.annotations.tracks_of` refuses frames that do not ascend; a report has to show just those.

    Attributes:
        labels: Visible frames by label; more than one label is a fault that a rule tells.
        intervals: First and last position (counted along the video's frames) of each time it is visible.
        visible: Frames in which it is visible.
    """

    labels: Counter[str] = field(default_factory=Counter)
    intervals: list[tuple[int, int]] = field(default_factory=list)
    visible: int = 0

    def see(self, position: int, label: str) -> None:
        """Note that it is visible at a position; positions come in order, the same one possibly twice."""
        self.labels[label] += 1
        self.visible += 1
        if self.intervals and position - self.intervals[-1][1] <= 1:
            self.intervals[-1] = (self.intervals[-1][0], position)
        else:
            self.intervals.append((position, position))


@dataclass(slots=True)
class Video:
    """One video's frames, in the order in which they came.

    Attributes:
        video_id: Its identity.
        indices: Frame index at each position.
        times: Seconds at each position.
        counts: Visible objects at each position.
        splits: At each position the split's place in ``split_names``; empty where the dataset was not split.
        split_names: In the order in which they came.
        tracks: By object id.
    """

    video_id: str
    indices: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))
    counts: array[int] = field(default_factory=lambda: array("l"))
    splits: array[int] = field(default_factory=lambda: array("b"))
    split_names: list[str] = field(default_factory=list)
    tracks: dict[int, Visibility] = field(default_factory=dict)

    def add(self, frame: Frame, split: str | None) -> None:
        """Note one frame."""
        position = len(self.indices)
        visible = frame.visible_objects
        self.indices.append(frame.frame_index)
        self.times.append(frame.timestamp_sec)
        self.counts.append(len(visible))
        for item in visible:
            self.tracks.setdefault(item.object_id, Visibility()).see(position, label_of(item))
        if split is not None:
            if split not in self.split_names:
                self.split_names.append(split)
            self.splits.append(self.split_names.index(split))


@dataclass(slots=True)
class Survey:
    """What was seen in all frames.

    Attributes:
        videos: By their identity, in the order in which they came.
        labels: By label, the most frequent first.
        kept: The frames that were asked for; a frame that comes twice is kept once.
    """

    videos: dict[str, Video] = field(default_factory=dict)
    labels: dict[str, LabelCounts] = field(default_factory=dict)
    kept: dict[FrameKey, Frame] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """How many frames there were."""
        return sum(len(video.indices) for video in self.videos.values())

    @property
    def sizes(self) -> list[int]:
        """Visible objects of all labels by bin of their size."""
        return [sum(bins) for bins in zip(*(row.sizes for row in self.labels.values()), strict=True)] or [0] * SIZE_BINS


def survey_frames(
    frames: Iterable[Frame], *, splits: Mapping[FrameKey, str] | None = None, keep: Collection[FrameKey] = ()
) -> Survey:
    """Look at every frame once.

    Args:
        frames: In each video's order.
        splits: The split of a frame; None where the dataset was not split, and a frame that is not named in it is in
            no split.
        keep: The frames to keep, for their pictures.
    """
    survey = Survey()
    for frame in frames:
        key = (frame.video_id, frame.frame_index)
        split = None if splits is None else splits.get(key, NO_SPLIT)
        survey.videos.setdefault(frame.video_id, Video(frame.video_id)).add(frame, split)
        _count_labels(survey.labels, frame, split)
        if key in keep:
            survey.kept.setdefault(key, frame)
    for video in survey.videos.values():
        for track in video.tracks.values():
            for label in track.labels:
                survey.labels[label].tracks += 1
    ordered = sorted(survey.labels.items(), key=lambda pair: (-pair[1].objects, pair[0]))
    survey.labels = dict(ordered)
    return survey


def size_bin(percent: float) -> int:
    """Return the bin of a size in percent of the frame's area; what lies outside counts to the first or last bin."""
    if percent <= 0:
        return 0
    return min(max(int((math.log10(percent) - _SMALLEST_EXPONENT) * _BINS_TO_TEN), 0), SIZE_BINS - 1)


def size_of_edge(edge: float) -> float:
    """Return the size in percent of the frame's area at the lower edge of a bin, and between edges where asked."""
    return float(10 ** (_SMALLEST_EXPONENT + edge / _BINS_TO_TEN))


def label_of(item: ObjectAnnotation) -> str:
    """Return an object's label, or what stands for none."""
    return item.label if item.label.strip() else NAMELESS


def _count_labels(labels: dict[str, LabelCounts], frame: Frame, split: str | None) -> None:
    pixels = frame.width * frame.height
    seen = set()
    for item in frame.visible_objects:
        label = label_of(item)
        row = labels.setdefault(label, LabelCounts())
        row.objects += 1
        row.sizes[size_bin(100 * item.area / pixels)] += 1
        if split is not None:
            row.splits[split] += 1
        seen.add(label)
    for label in seen:
        labels[label].frames += 1
