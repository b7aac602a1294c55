"""Frames on the disk that look like a tuple of frames: the memory they take does not grow with their masks.

A frame with three objects takes about three kilobytes as Python objects, so a hundred thousand of them would take more
than all else together. Here each is a record in an unlinked temporary file, made anew whenever it is looked at; what
stays in memory is its offset, eight bytes. The records are Python's `marshal`, which is read six times as fast as JSON
and holds numbers and texts only; nobody else can write to a file without a name.
"""

from __future__ import annotations

import marshal
import os
import tempfile
import weakref
from array import array
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from sam2vlm.annotations.types import Frame, Mask, ObjectAnnotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["FrameStore", "FrameView"]

# Read ahead this much when frames are taken one after the other: one call to the system for some hundred frames.
_CHUNK = 1 << 20
# Before marshal looked for equal values, which takes longer than writing them twice.
_FORMAT = 2


class FrameView(Sequence[Frame]):
    """Some frames of a store, in an order of their own; equal to any sequence of equal frames.

    Args:
        store: Where the frames are.
        rows: Their numbers in the store.
    """

    def __init__(self, store: FrameStore, rows: Iterable[int]) -> None:
        self._store = store
        self._rows = array("Q", rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> FrameView: ...
    def __getitem__(self, index: int | slice) -> Frame | FrameView:
        if isinstance(index, slice):
            return FrameView(self._store, self._rows[index])
        return self._store.read(self._rows[index])

    def __iter__(self) -> Iterator[Frame]:
        return self._store.read_many(self._rows)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]  # as a list has none


class FrameStore(Sequence[Frame]):
    """An unchanging sequence of frames on the disk; equal to any sequence of equal frames.

    Args:
        frames: Taken one by one.
        read_image: Returns a picture's encoded bytes by its ``image_name``. It takes the place of the frames' own
            ``read_image``, which cannot be written down; a frame without one stays without.
        folder: Where the temporary file lies; the system's own folder where left out. It has no name and is gone with
            the process, however that ends.

    Raises:
        OSError: There is no room for it.
    """

    def __init__(
        self, frames: Iterable[Frame], *, read_image: Callable[[str], bytes] | None = None, folder: Path | None = None
    ) -> None:
        self._read_image = read_image
        self._offsets = array("Q", [0])
        with tempfile.TemporaryFile(dir=folder) as file:
            for frame in frames:
                record = marshal.dumps(_as_values(frame), _FORMAT)
                file.write(record)
                self._offsets.append(self._offsets[-1] + len(record))
            file.flush()
            self._file = os.dup(file.fileno())
        # The store is handed around and has no one to close it.
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> FrameView: ...
    def __getitem__(self, index: int | slice) -> Frame | FrameView:
        if isinstance(index, slice):
            return self.view(range(len(self))[index])
        return self.read(range(len(self))[index])

    def __iter__(self) -> Iterator[Frame]:
        return self.read_many(range(len(self)))

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def view(self, rows: Iterable[int]) -> FrameView:
        """Return some of the frames, by their numbers, in that order."""
        return FrameView(self, rows)

    def read(self, row: int) -> Frame:
        """Return the frame of a number from 0 to ``len - 1``."""
        return self._frame(self._bytes(self._offsets[row], self._offsets[row + 1]))

    def read_many(self, rows: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames of some numbers; those that lie behind one another are read together."""
        offsets, place = self._offsets, 0
        while place < len(rows):
            first, start = place, offsets[rows[place]]
            place += 1
            while (
                place < len(rows) and rows[place] == rows[place - 1] + 1 and offsets[rows[place] + 1] - start <= _CHUNK
            ):
                place += 1
            chunk = self._bytes(start, offsets[rows[place - 1] + 1])
            for row in rows[first:place]:
                yield self._frame(chunk[offsets[row] - start : offsets[row + 1] - start])

    def _bytes(self, start: int, end: int) -> bytes:
        # With an offset of its own, so that neither threads nor forked processes move each other's place.
        return os.pread(self._file, end - start, start)

    def _frame(self, record: bytes) -> Frame:
        values = marshal.loads(record)  # noqa: S302  written above
        video_id, index, second, width, height, objects, name, readable = values
        return Frame(
            video_id=video_id,
            frame_index=index,
            timestamp_sec=second,
            width=width,
            height=height,
            objects=tuple(map(_object, objects)),
            image_name=name,
            read_image=partial(self._read_image, name) if readable and self._read_image is not None else None,
        )


def _as_values(frame: Frame) -> list[Any]:
    return [
        frame.video_id,
        frame.frame_index,
        frame.timestamp_sec,
        frame.width,
        frame.height,
        [_object_values(item) for item in frame.objects],
        frame.image_name,
        frame.read_image is not None,
    ]


def _object_values(item: ObjectAnnotation) -> list[Any]:
    mask = item.mask
    return [
        item.object_id,
        item.label,
        None if mask is None else [mask.height, mask.width, mask.counts],
        item.bbox,
        item.area,
        item.confidence,
        item.stored_bbox,
        item.stored_area,
    ]


def _object(values: list[Any]) -> ObjectAnnotation:
    object_id, label, mask, bbox, area, confidence, stored_bbox, stored_area = values
    return ObjectAnnotation(
        object_id=object_id,
        label=label,
        mask=None if mask is None else Mask(*mask),
        bbox=None if bbox is None else tuple(bbox),
        area=area,
        confidence=confidence,
        stored_bbox=None if stored_bbox is None else tuple(stored_bbox),
        stored_area=stored_area,
    )


def _equal(frames: Sequence[Frame], other: object) -> bool:
    if not isinstance(other, Sequence):
        return False
    return len(frames) == len(other) and all(one == two for one, two in zip(frames, other, strict=True))
