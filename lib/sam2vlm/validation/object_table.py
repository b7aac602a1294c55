"""A dataset as columns: what the rules need of every frame and object, and nothing that grows with the masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.tracks import Track, tracks_of
from sam2vlm.annotations.types import Frame, Mask, ObjectAnnotation
from sam2vlm.validation.results import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sam2vlm.validation.neighbours import Crossing, Overlap

__all__ = ["FRAME_COLUMNS", "OBJECT_COLUMNS", "ObjectTable"]

#: Of each frame: the number of its video, its index, its size in pixels, its first row among the objects, how many
#: it lists, and whether it has a picture.
FRAME_COLUMNS = np.dtype([
    ("video", np.int32), ("index", np.int64), ("width", np.int32), ("height", np.int32),
    ("begin", np.int64), ("listed", np.int32), ("picture", bool),
])  # fmt: skip
#: Of each listed object: its frame's position, its object_id, the number of its label; whether it is visible; its
#: area and box in frame pixels and those that the file gives (NaN where none); its mask's grid, and on that grid
#: area, box and the pixels of its largest 8-connected component (0 where it is not visible or broken); its row in the
#: frame before (-1 where it is not visible in both), and the IoU with its mask there after their centroids were
#: aligned (NaN where there is none or the two are on grids of different sizes).
OBJECT_COLUMNS = np.dtype([
    ("frame", np.int64), ("object_id", np.int64), ("label", np.int32), ("visible", bool),
    ("area", np.float64), ("box", np.float64, 4), ("stored_area", np.float64), ("stored_box", np.float64, 4),
    ("grid_width", np.int32), ("grid_height", np.int32), ("grid_area", np.int64), ("grid_box", np.int32, 4),
    ("largest", np.int64), ("before", np.int64), ("aligned", np.float64),
])  # fmt: skip

# Stands for "visible" where a track is made of the columns; no one looks at its pixels.
_SOME_MASK = Mask(1, 1, "01")


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """All frames and all listed objects of a dataset, in its order.

    Attributes:
        videos: Their ids, by number.
        labels: By number.
        frames: Of dtype :data:`FRAME_COLUMNS`, shape (frames,).
        objects: Of dtype :data:`OBJECT_COLUMNS`, shape (objects,); an object's row is its place here.
        broken: What is wrong with a mask that cannot be decoded, by row.
        overlaps: Pairs of one frame's objects that share pixels.
        crossings: Pairs of objects that fit each other's places in the frame before better than their own.
    """

    videos: Sequence[str]
    labels: Sequence[str]
    frames: NDArray[Any]
    objects: NDArray[Any]
    broken: Mapping[int, str]
    overlaps: Sequence[Overlap]
    crossings: Sequence[Crossing]

    @property
    def visible(self) -> NDArray[np.int64]:
        """Rows of the visible objects."""
        return np.flatnonzero(self.objects["visible"])

    def sizes(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the pixels of each row's frame, shape (rows,)."""
        frames = self.frames[self.objects["frame"][rows]]
        return np.asarray(frames["width"].astype(float) * frames["height"])

    def by_label(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield each label of a visible object with the rows of the visible objects that carry it."""
        rows = self.visible
        numbers = self.objects["label"][rows]
        order = np.argsort(numbers, kind="stable")
        there, begins = np.unique(numbers[order], return_index=True)
        for number, own in zip(there, np.split(rows[order], begins[1:]), strict=False):
            yield self.labels[number], own

    def label(self, row: int) -> str:
        """Return an object's label."""
        return self.labels[int(self.objects["label"][row])]

    def of_frame(self, position: int, message: str, severity: Severity, *, original: int | None = None) -> Finding:
        """Return a finding about a whole frame, which was compared with another one where that is given."""
        frame = self.frames[position]
        other = None if original is None else self._key(original)
        return Finding(message, severity, self.videos[frame["video"]], int(frame["index"]), compared_with=other)

    def of_change(self, row: int, message: str, severity: Severity) -> Finding:
        """Return a finding about one object against the frame before, in which it is visible too."""
        before = self.objects["frame"][self.objects["before"][row]]
        return replace(self.of_object(row, message, severity), compared_with=self._key(int(before)))

    def _key(self, position: int) -> tuple[str, int]:
        frame = self.frames[position]
        return self.videos[frame["video"]], int(frame["index"])

    def of_object(self, row: int, message: str, severity: Severity) -> Finding:
        """Return a finding about one object in one frame."""
        item = self.objects[row]
        frame = self.frames[item["frame"]]
        return Finding(
            message,
            severity,
            self.videos[frame["video"]],
            int(frame["index"]),
            int(item["object_id"]),
            self.labels[item["label"]],
        )

    def index_of(self, row: int) -> int:
        """Return the frame index of an object."""
        return int(self.frames["index"][self.objects["frame"][row]])

    def timelines(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield each video with the positions of its frames by ascending index; one that comes again is left out."""
        for number, video_id in enumerate(self.videos):
            positions = np.flatnonzero(self.frames["video"] == number)
            _indices, first = np.unique(self.frames["index"][positions], return_index=True)
            yield video_id, positions[first]

    def tracks(self, left_out: Mapping[str, Sequence[int]]) -> tuple[Track, ...]:
        """Return every object's track.

        Args:
            left_out: By video, indices of annotated frames that are not in the dataset because they show nothing:
                an object was absent there.
        """
        return tracks_of(
            frame
            for video_id, positions in self.timelines()
            for frame in self._bare_frames(video_id, positions, left_out.get(video_id, ()))
        )

    def _bare_frames(self, video_id: str, positions: NDArray[np.int64], left_out: Sequence[int]) -> Iterator[Frame]:
        """Yield frames with nothing but who is listed and who is seen."""
        at = dict(zip(self.frames["index"][positions].tolist(), positions.tolist(), strict=True))
        for index in sorted({*at, *left_out}):
            rows = self._rows(at[index]) if index in at else []
            yield Frame(video_id, index, 0.0, 1, 1, tuple(map(self._bare_object, rows)))

    def _rows(self, position: int) -> list[Any]:
        frame = self.frames[position]
        found: list[Any] = self.objects[frame["begin"] : frame["begin"] + frame["listed"]][
            ["object_id", "label", "visible"]
        ].tolist()
        return found

    def _bare_object(self, row: tuple[int, int, bool]) -> ObjectAnnotation:
        object_id, label, visible = row
        return ObjectAnnotation(object_id, self.labels[label], _SOME_MASK if visible else None, None, 0.0)
