"""From frames to columns: every frame taken once, every mask decoded once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.coco_many import runs_of_many
from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.annotations.runs import canonical_runs, check_sum
from sam2vlm.errors import DataError
from sam2vlm.logs import track
from sam2vlm.validation.neighbours import Crossing, Measured, Overlap, compare_neighbours, compare_within
from sam2vlm.validation.object_table import FRAME_COLUMNS, OBJECT_COLUMNS, ObjectTable
from sam2vlm.validation.stretches import Stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sam2vlm.annotations.runs import Runs
    from sam2vlm.annotations.types import Frame, ObjectAnnotation

__all__ = ["ObjectScan", "scan_objects"]

# Enough masks to make array operations worth their call, few enough to stay within some 20 MB.
CHUNK_OBJECTS = 256
_NONE = (np.nan,) * 4
# An empty mask of one pixel.
_ABSENT = "1"


def scan_objects(frames: Sequence[Frame]) -> ObjectTable:
    """Look at every frame and every mask once.

    Args:
        frames: Each video's by ascending frame index: a frame is compared with the one before it where that is the
            same video's and earlier.
    """
    scan = ObjectScan()
    for frame in track(frames, "measuring masks", "frames", total=len(frames)):
        scan.add(frame)
    return scan.finished()


class _GrowingRows:
    """An array that grows where it is: joining parts at the end would need the memory twice."""

    def __init__(self, columns: np.dtype[Any]) -> None:
        self._rows = np.zeros(0, columns)
        self._used = 0

    def add(self, rows: NDArray[Any]) -> None:
        used = self._used + len(rows)
        if used > len(self._rows):
            # Nobody has a view of it yet, which a reallocation would leave in the void.
            self._rows.resize(max(used, len(self._rows) * 9 // 8), refcheck=False)
        self._rows[self._used : used] = rows
        self._used = used

    def finished(self) -> NDArray[Any]:
        self._rows.resize(self._used, refcheck=False)
        return self._rows


@dataclass(slots=True)
class ObjectScan:
    """A table that grows frame by frame; see :func:`scan_objects`."""

    videos: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    frames: _GrowingRows = field(default_factory=lambda: _GrowingRows(FRAME_COLUMNS))
    objects: _GrowingRows = field(default_factory=lambda: _GrowingRows(OBJECT_COLUMNS))
    broken: dict[int, str] = field(default_factory=dict)
    overlaps: list[Overlap] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    before: list[Frame] = field(default_factory=list)
    chunk: list[Frame] = field(default_factory=list)
    positions: int = 0
    rows: int = 0
    waiting: int = 0

    def add(self, frame: Frame) -> None:
        """Take the next frame; it is measured with those around it."""
        self.chunk.append(frame)
        self.waiting += len(frame.objects)
        if self.waiting >= CHUNK_OBJECTS or len(self.chunk) >= CHUNK_OBJECTS:
            self._flush()

    def finished(self) -> ObjectTable:
        """Measure what waits and return the table."""
        self._flush()
        return ObjectTable(
            videos=tuple(self.videos),
            labels=tuple(self.labels),
            frames=self.frames.finished(),
            objects=self.objects.finished(),
            broken=self.broken,
            overlaps=sorted(self.overlaps),
            crossings=sorted(self.crossings),
        )

    def _flush(self) -> None:
        """Measure the waiting frames; the last one before them comes along for its neighbour's sake only."""
        if not self.chunk:
            return
        frames = [*self.before, *self.chunk]
        counts = [len(frame.objects) for frame in frames]
        known = sum(counts[: len(self.before)])
        self._keep_frames(counts[len(self.before) :])
        objects = self._objects(frames)
        self._measure(frames, counts, objects, known)
        self.objects.add(objects[known:])
        self.positions += len(self.chunk)
        self.rows += len(objects) - known
        self.before, self.chunk, self.waiting = self.chunk[-1:], [], 0

    def _keep_frames(self, counts: list[int]) -> None:
        begins = self.rows + np.cumsum([0, *counts])
        self.frames.add(
            np.array(
                [
                    (
                        self.videos.setdefault(frame.video_id, len(self.videos)),
                        frame.frame_index,
                        frame.width,
                        frame.height,
                        int(begin),
                        len(frame.objects),
                        frame.read_image is not None,
                    )
                    for frame, begin in zip(self.chunk, begins, strict=False)
                ],
                FRAME_COLUMNS,
            )
        )

    def _objects(self, frames: list[Frame]) -> NDArray[Any]:
        first = self.positions - len(self.before)
        rows = [self._object(position, item) for position, frame in enumerate(frames, first) for item in frame.objects]
        return np.array(rows, OBJECT_COLUMNS)

    def _object(self, position: int, item: ObjectAnnotation) -> tuple[Any, ...]:
        mask = item.mask
        return (
            position,
            item.object_id,
            self.labels.setdefault(item.label, len(self.labels)),
            mask is not None,
            item.area,
            _NONE if item.bbox is None else item.bbox,
            np.nan if item.stored_area is None else item.stored_area,
            _NONE if item.stored_bbox is None else item.stored_bbox,
            1 if mask is None else mask.width,
            1 if mask is None else mask.height,
            0,
            (0, 0, 0, 0),
            0,
            -1,
            np.nan,
        )

    def _measure(self, frames: list[Frame], counts: list[int], objects: NDArray[Any], known: int) -> None:
        base = self.rows - known
        items = [item for frame in frames for item in frame.objects]
        sizes = np.column_stack((objects["grid_height"], objects["grid_width"])).astype(np.int64)
        stretches = self._stretches(base, items, [(height, width) for height, width in sizes.tolist()])
        measured = Measured(stretches, stretches.areas, stretches.boxes, sizes, objects["object_id"])
        objects["grid_area"], objects["grid_box"] = measured.area, measured.box
        objects["largest"] = stretches.largest_components()
        ends = np.cumsum([0, *counts])
        groups = [np.arange(begin, end) for begin, end in itertools.pairwise(ends)]
        self.overlaps.extend(compare_within(measured, groups[len(self.before) :], base))
        neighbours = [
            pair for pair, (one, two) in zip(itertools.pairwise(groups), itertools.pairwise(frames), strict=True)
            if one.video_id == two.video_id and one.frame_index < two.frame_index
        ]  # fmt: skip
        found = compare_neighbours(measured, neighbours, base)
        objects["before"], objects["aligned"] = found.before, found.aligned
        self.crossings.extend(found.crossings)

    def _stretches(self, base: int, items: list[ObjectAnnotation], sizes: list[tuple[int, int]]) -> Stretches:
        counts = [_ABSENT if item.mask is None else item.mask.counts for item in items]
        sound = runs_of_many(counts, [height * width for height, width in sizes])
        if sound is not None:
            return Stretches.of_flat(*sound, sizes)
        return Stretches.of([self._runs(base + number, item) for number, item in enumerate(items)], sizes)

    def _runs(self, row: int, item: ObjectAnnotation) -> Runs:
        mask = item.mask
        if mask is None:
            return np.array([1], np.int64)
        try:
            runs = runs_from_counts(mask.counts)
            check_sum(runs, mask.height, mask.width)
        except DataError as error:
            self.broken[row] = str(error)
            return np.array([mask.height * mask.width], np.int64)
        return canonical_runs(runs)
