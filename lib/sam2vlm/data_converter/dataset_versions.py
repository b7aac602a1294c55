"""What a new version of a dataset has of the earlier one and of new exports, and in which split each frame is.

A frame that was learned from must not be measured with later. So a frame keeps the split that it had, and a frame of a
video that is there already goes where its neighbours in time are.
"""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.joined_frames import JoinedFrames
from sam2vlm.data_converter.export_set import annotation_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.earlier_dataset import EarlierDataset

__all__ = ["ALREADY_THERE", "BETWEEN_SPLITS", "REPLACED", "NewVersion", "VersionChanges", "extend_dataset"]

#: Reasons of frames that the new version leaves out.
ALREADY_THERE = "already in the earlier version"
REPLACED = "replaced by a changed one"
BETWEEN_SPLITS = "split_gap"
_SAME_SECOND = 5e-4


@dataclass(slots=True)
class VersionChanges:
    """What is different, by sample id.

    Attributes:
        came: New frames, by sample id, with the split of those of a known video; None where the settings split.
        changed: Frames in place of earlier ones: the new id, the earlier id and what differs (``picture``,
            ``annotation``, ``time``).
        already_there: New frames that are left out, as the earlier version has them, with the id that they have there.
        kept: How many frames of the earlier version are as they were.
        known_videos: Videos of the new exports that the earlier version has, with the id that they have there.
    """

    came: dict[str, str | None] = field(default_factory=dict)
    changed: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    already_there: dict[str, str] = field(default_factory=dict)
    kept: int = 0
    known_videos: dict[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "came": len(self.came),
            "changed": len(self.changed),
            "changed_in": dict(sorted(Counter(what for _, found in self.changed.values() for what in found).items())),
            "already_there": len(self.already_there),
            "kept": self.kept,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "counts": self.counts(),
            "came": sorted(self.came),
            "changed": {new: {"earlier": old, "what": list(what)} for new, (old, what) in sorted(self.changed.items())},
            "already_there": dict(sorted(self.already_there.items())),
            "known_videos": dict(sorted(self.known_videos.items())),
        }


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The frames of a new version.

    Attributes:
        frames: Those of the earlier version and, behind them, those of the new exports.
        splits: Positions of the frames whose split is known, by split.
        undecided: Positions of frames of new videos.
        dropped: Positions of frames that are not in the new version, by reason.
        changes: What is different.
    """

    frames: Sequence[Frame]
    splits: Mapping[str, list[int]]
    undecided: list[int]
    dropped: Mapping[str, list[int]]
    changes: VersionChanges


def extend_dataset(earlier: EarlierDataset, new: Sequence[Frame]) -> NewVersion:
    """Compare new frames with an earlier version, by the content of picture and annotation.

    A new video is a known one where it has the same id, or where at least half of the frames at the same index have
    the same picture, byte by byte: a re-export of it. Frames of a known video are compared index by index. One
    that is not there yet takes the split of the frames before and behind it; where these differ it is left out, as the
    gap between splits is.

    Args:
        earlier: See :func:`sam2vlm.data_converter.earlier_dataset.open_earlier`.
        new: The frames of the new exports, with their pictures.
    """
    comparison = _Comparison(earlier, new)
    for row in range(len(new)):
        comparison.place(row)
    return comparison.result()


class _Comparison:
    def __init__(self, earlier: EarlierDataset, new: Sequence[Frame]) -> None:
        self._earlier = earlier
        self._new = new
        self._changes = VersionChanges()
        # Of each earlier video: its frames' positions by index.
        self._rows: defaultdict[str, dict[int, int]] = defaultdict(dict)
        pictures = []
        for row, frame in enumerate(earlier.frames):
            self._rows[frame.video_id][frame.frame_index] = row
            pictures.append(_picture_digest(frame))
        self._pictures = pictures
        self._indices = {video_id: sorted(rows) for video_id, rows in self._rows.items()}
        self._new_pictures = [_picture_digest(frame) for frame in new]
        self._changes.known_videos = self._known_videos()
        self._splits: defaultdict[str, list[int]] = defaultdict(list)
        self._undecided: list[int] = []
        self._dropped: defaultdict[str, list[int]] = defaultdict(list)
        self._replaced: set[int] = set()

    def place(self, row: int) -> None:
        frame, position = self._new[row], len(self._earlier.frames) + row
        video = self._changes.known_videos.get(frame.video_id)
        if video is None:
            self._undecided.append(position)
            self._changes.came[frame.sample_id] = None
            return
        before = self._rows[video].get(frame.frame_index)
        if before is None:
            self._between(frame, position, video)
            return
        earlier = self._earlier.frames[before]
        what = tuple(self._differences(frame, row, earlier, before))
        if what:
            self._replaced.add(before)
            self._splits[self._earlier.splits[before]].append(position)
            self._changes.changed[frame.sample_id] = (earlier.sample_id, what)
        else:
            self._dropped[ALREADY_THERE].append(position)
            self._changes.already_there[frame.sample_id] = earlier.sample_id

    def result(self) -> NewVersion:
        kept = [row for row in range(len(self._earlier.frames)) if row not in self._replaced]
        for row in kept:
            self._splits[self._earlier.splits[row]].append(row)
        self._changes.kept = len(kept)
        if self._replaced:
            self._dropped[REPLACED] = sorted(self._replaced)
        return NewVersion(
            frames=JoinedFrames([self._earlier.frames, self._new]),
            splits=dict(self._splits),
            undecided=self._undecided,
            dropped=dict(self._dropped),
            changes=self._changes,
        )

    def _between(self, frame: Frame, position: int, video: str) -> None:
        indices = self._indices[video]
        place = bisect.bisect_left(indices, frame.frame_index)
        around = {self._split_at(video, index) for index in indices[max(place - 1, 0) : place + 1]}
        if len(around) == 1:
            split = around.pop()
            self._splits[split].append(position)
            self._changes.came[frame.sample_id] = split
        else:
            self._dropped[BETWEEN_SPLITS].append(position)

    def _split_at(self, video: str, index: int) -> str:
        return self._earlier.splits[self._rows[video][index]]

    def _known_videos(self) -> dict[str, str]:
        """Return the earlier video of each new one that is there already."""
        by_picture = {
            (self._pictures[row], index): video_id
            for video_id, rows in self._rows.items()
            for index, row in rows.items()
        }
        equal: defaultdict[str, Counter[str]] = defaultdict(Counter)
        indices: defaultdict[str, set[int]] = defaultdict(set)
        for frame, digest in zip(self._new, self._new_pictures, strict=True):
            indices[frame.video_id].add(frame.frame_index)
            found = by_picture.get((digest, frame.frame_index))
            if found is not None:
                equal[frame.video_id][found] += 1
        known = {}
        for video_id in indices:
            if video_id in self._rows:
                known[video_id] = video_id
                continue
            for found, count in equal[video_id].most_common(1):
                # A black beginning is the same in many videos; half of what both have is not.
                shared = len(indices[video_id] & self._rows[found].keys())
                if 2 * count >= shared:
                    known[video_id] = found
        return known

    def _differences(self, frame: Frame, row: int, earlier: Frame, before: int) -> list[str]:
        differs = {
            "picture": self._new_pictures[row] != self._pictures[before],
            "annotation": annotation_digest(frame) != annotation_digest(earlier),
            "time": abs(frame.timestamp_sec - earlier.timestamp_sec) > _SAME_SECOND,
        }
        return [what for what, found in differs.items() if found]


def _picture_digest(frame: Frame) -> bytes:
    return hashlib.sha256(b"" if frame.read_image is None else frame.read_image()).digest()
