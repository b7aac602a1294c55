"""Every frame's picture read once, over all cores, in the frames' order; what is kept is 64 bytes a frame."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sam2vlm.logs import progress
from sam2vlm.validation.picture_facts import DIGEST_BYTES, PictureFacts, content_digest, picture_facts
from sam2vlm.workers import cores, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sam2vlm.annotations.types import Frame

__all__ = ["PictureKeeper", "PictureScan", "scan_pictures"]

MOST_WORKERS = 16
_COLUMNS = np.dtype([
    ("there", bool),
    ("digest", f"V{DIGEST_BYTES}"),
    ("width", np.int32),
    ("height", np.int32),
    ("low", np.float64),
    ("high", np.float64),
    ("entropy", np.float64),
    ("sharpness", np.float64),
    ("hash", np.uint64),
])  # fmt: skip


class PictureKeeper(Protocol):
    """Has a use of its own for the pictures' bytes, which nobody has to read a second time then."""

    def keep(self, frame: Frame, encoded: bytes) -> Any:
        """Take a frame's picture, in one of the processes that read; what it returns is pickled."""

    def kept(self, result: Any) -> None:
        """Take what :meth:`keep` returned, in the process that asked, in the frames' order."""

    def close(self) -> None:
        """Take notice that no more pictures come, in the process that asked."""


class PictureScan:
    """The facts about each frame's picture.

    Attributes:
        decoded: Whether the pictures were decoded; without, only digests are known.
        faults: Why a picture cannot be decoded, by the frame's position.
    """

    def __init__(self, count: int, *, decoded: bool) -> None:
        self.decoded = decoded
        self.faults: dict[int, str] = {}
        self._table = np.zeros(count, _COLUMNS)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, position: int) -> PictureFacts | None:
        """Return a frame's facts; None where it has no picture."""
        row = self._table[position]
        if not row["there"]:
            return None
        values: dict[str, Any] = {name: row[name].item() for name in _COLUMNS.names or () if name != "there"}
        return PictureFacts(**{**values, "digest": row["digest"].tobytes()}, fault=self.faults.get(position))

    def column(self, name: str) -> NDArray[Any]:
        """Return one fact of all frames, by its name in :class:`PictureFacts`; zeros where there is no picture."""
        return self._table[name]

    @property
    def pictures(self) -> NDArray[np.int64]:
        """Positions of the frames that have a picture."""
        return np.flatnonzero(self._table["there"])

    @property
    def sound(self) -> NDArray[np.int64]:
        """Positions of the frames whose picture was decoded."""
        return np.flatnonzero(self._table["width"] > 0)

    def put(self, position: int, facts: PictureFacts) -> None:
        """Keep a frame's facts."""
        values = [getattr(facts, name) for name in (_COLUMNS.names or ())[1:]]
        self._table[position] = (True, np.void(facts.digest), *values[1:])
        if facts.fault is not None:
            self.faults[position] = facts.fault


def scan_pictures(
    frames: Sequence[Frame],
    *,
    workers: int | None = None,
    decode: bool = True,
    meanwhile: Callable[[], object] | None = None,
    keeper: PictureKeeper | None = None,
) -> PictureScan:
    """Read each frame's picture once and measure it.

    Args:
        frames: Frames without a picture are passed over.
        workers: Processes (see :func:`sam2vlm.workers.spread`), each with one picture in memory; None for one a
            processor core, sixteen at most, beyond which the disk is what limits.
        decode: Without, pictures are only read for their digest.
        meanwhile: Called once a frame, for work of this process's own: it has little to do but wait.
        keeper: Gets each picture's bytes as well.

    Raises:
        DataError: A picture's bytes cannot be read. One that cannot be decoded is no error here; it has a fault.
    """
    scan = PictureScan(len(frames), decoded=decode)
    workers = workers or min(cores(), MOST_WORKERS)
    keeper = _Nobody() if keeper is None else keeper
    look = partial(_look, decode=decode, keeper=keeper)
    with progress(len(frames), "looking at pictures", "frames") as advance, contextlib.closing(keeper):
        for position, found in enumerate(spread(look, frames, workers=workers)):
            if found is not None:
                facts, result = found
                scan.put(position, facts)
                keeper.kept(result)
            if meanwhile is not None:
                meanwhile()
            advance(1)
    return scan


class _Nobody:
    """Has no use for pictures."""

    def keep(self, _frame: Frame, _encoded: bytes) -> None:
        return None

    def kept(self, result: None) -> None:
        pass

    def close(self) -> None:
        pass


def _look(frame: Frame, *, decode: bool, keeper: PictureKeeper) -> tuple[PictureFacts, Any] | None:
    if frame.read_image is None:
        return None
    encoded = frame.read_image()
    result = keeper.keep(frame, encoded)
    return picture_facts(encoded) if decode else PictureFacts(content_digest(encoded)), result
