"""Sequences of frames one behind the other, and frames with something changed, without a copy of any."""

from __future__ import annotations

import bisect
import itertools
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast, overload

from sam2vlm.annotations.frame_store import FrameView
from sam2vlm.annotations.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sam2vlm.annotations.frame_store import FrameStore

__all__ = ["ChangedFrames", "JoinedFrames", "PickedFrames", "joined"]


class _Frames(Sequence[Frame]):
    """What both have in common with :class:`sam2vlm.annotations.frame_store.FrameStore`."""

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> FrameView: ...
    def __getitem__(self, index: int | slice) -> Frame | FrameView:
        if isinstance(index, slice):
            return self.view(range(len(self))[index])
        return self.read(range(len(self))[index])

    def __eq__(self, other: object) -> bool:
        return self.view(range(len(self))) == other

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def view(self, rows: Iterable[int]) -> FrameView:
        """Return some of the frames, by their numbers, in that order."""
        # A view reads rows and asks nothing else of a store.
        return FrameView(cast("FrameStore", self), rows)

    def read(self, row: int) -> Frame:
        """Return the frame of a number from 0 to ``len - 1``."""
        raise NotImplementedError

    def read_many(self, rows: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames of some numbers."""
        return map(self.read, rows)


class JoinedFrames(_Frames):
    """Several sequences of frames as one.

    Args:
        parts: One behind the other; read when asked for.
    """

    def __init__(self, parts: Sequence[Sequence[Frame]]) -> None:
        self._parts = tuple(parts)
        self._ends = list(itertools.accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Frame]:
        return itertools.chain.from_iterable(self._parts)

    def read(self, row: int) -> Frame:
        """Return the frame of a number from 0 to ``len - 1``."""
        part = bisect.bisect_right(self._ends, row)
        return self._parts[part][row - (self._ends[part - 1] if part else 0)]


class ChangedFrames(_Frames):
    """Frames that are changed whenever they are looked at.

    Args:
        frames: As they are.
        change: Returns a frame as it is to be seen.
    """

    def __init__(self, frames: Sequence[Frame], change: Callable[[Frame], Frame]) -> None:
        self._frames = frames
        self._change = change

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return map(self._change, self._frames)

    def read(self, row: int) -> Frame:
        """Return the frame of a number from 0 to ``len - 1``."""
        return self._change(self._frames[row])


class PickedFrames(_Frames):
    """Some of a sequence's frames.

    Args:
        frames: All of them; read when asked for.
        rows: The positions of those that are meant, in order.
    """

    def __init__(self, frames: Sequence[Frame], rows: Iterable[int]) -> None:
        self._frames = frames
        self._rows = array("Q", rows)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, row: int) -> Frame:
        """Return the frame of a number from 0 to ``len - 1``."""
        return self._frames[self._rows[row]]


def joined(parts: Sequence[Sequence[Frame]]) -> Sequence[Frame]:
    """Return several sequences as one; a single one as it is."""
    return parts[0] if len(parts) == 1 else JoinedFrames(parts)
