"""Files that are hashed while they are written, so that nobody has to read them again for the manifest."""

from __future__ import annotations

import hashlib
import io
import os
from array import array
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.early_writeback import EarlyWriteback

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["StreamedFile", "WrittenFiles", "write_hashed"]

_DIGEST_BYTES = 32
_NAME_BYTES = 16
_GONE = -1
# Enough for the disk to be busy with it.
_PART_BYTES = 4 << 20


class WrittenFiles:
    """What is known of files from writing them: SHA-256 and size, in 80 bytes a file, however long its name is.

    Files are told apart by a digest of their names, sorted when the first one is asked for.
    """

    def __init__(self) -> None:
        self._names = bytearray()
        self._digests = bytearray()
        self._sizes = array("q")
        self._sorted: tuple[NDArray[np.bytes_], NDArray[np.int64]] | None = None

    def add(self, path: Path | str, sha256: bytes, size: int) -> None:
        """Keep what is known of a file.

        Args:
            path: The file, by its final name.
            sha256: Of its bytes, 32 bytes.
            size: Its bytes.
        """
        self._names += _name_digest(path)
        self._digests += sha256
        self._sizes.append(size)
        self._sorted = None

    def update(self, other: WrittenFiles) -> None:
        """Keep what is known of another's files as well."""
        self._names += other._names
        self._digests += other._digests
        self._sizes += other._sizes
        self._sorted = None

    def discard(self, path: Path | str) -> None:
        """Forget a file that is no more."""
        row = self._row(path)
        if row is not None:
            self._sizes[row] = _GONE

    def get(self, path: Path | str) -> tuple[str, int] | None:
        """Return a file's SHA-256 in hexadecimal and its size in bytes; None where it is not known."""
        row = self._row(path)
        if row is None:
            return None
        return self._digests[row * _DIGEST_BYTES : (row + 1) * _DIGEST_BYTES].hex(), self._sizes[row]

    def _row(self, path: Path | str) -> int | None:
        import numpy as np

        if self._sorted is None:
            names = np.frombuffer(bytes(self._names), f"S{_NAME_BYTES}")
            order = np.argsort(names, kind="stable")
            self._sorted = names[order], order
        names, order = self._sorted
        name = _name_digest(path)
        # Of two with one name the one that was added last.
        place = int(np.searchsorted(names, name, side="right")) - 1
        # NumPy's texts end before the zeros at their end.
        if place < 0 or names[place] != name.rstrip(b"\0"):
            return None
        row = int(order[place])
        return None if self._sizes[row] == _GONE else row


def write_hashed(path: Path, content: bytes, writeback: EarlyWriteback) -> bytes:
    """Write a whole file.

    Args:
        path: The file; it is overwritten where it is there.
        content: Its bytes.
        writeback: Has the disk begin with it, and closes it.

    Returns:
        Its SHA-256, 32 bytes.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write_all(descriptor, content)
    except BaseException:
        os.close(descriptor)
        raise
    writeback.wrote(descriptor, 0, len(content), last=True)
    return hashlib.sha256(content).digest()


class StreamedFile(io.RawIOBase):
    """A file that is written from its beginning to its end.

    Args:
        path: The file; it is overwritten where it is there.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._told = 0
        self._hash = hashlib.sha256()
        self._writeback = EarlyWriteback()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    @property
    def sha256(self) -> bytes:
        """The digest of what was written so far, 32 bytes."""
        return self._hash.digest()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, content: Any) -> int:
        """Write all of some bytes."""
        view = memoryview(content).cast("B")
        _write_all(self._descriptor, view)
        self._hash.update(view)
        self.size += len(view)
        if self.size - self._told >= _PART_BYTES:
            self._tell()
        return len(view)

    def close(self) -> None:
        """Close the file."""
        if self.closed:
            return
        super().close()
        try:
            self._tell()
            self._writeback.close()
        finally:
            os.close(self._descriptor)

    def _tell(self) -> None:
        self._writeback.wrote(self._descriptor, self._told, self.size - self._told, last=False)
        self._told = self.size


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _name_digest(path: Path | str) -> bytes:
    return hashlib.blake2b(os.fsencode(path), digest_size=_NAME_BYTES).digest()
