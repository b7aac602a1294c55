"""Large outputs on their way to the disk while the next ones are made, and out of memory when they are there.

Left to itself, the system keeps what is written until a tenth of the memory is full of it, and makes writers wait from
a fifth on; each page is one that nobody has used lately, and what other programs had there is gone. Files that are
written once and read by a later phase gain nothing from that. PostgreSQL (``checkpoint_flush_after``) and rsync
(``--drop-cache``) do the same as is done here.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque

__all__ = ["EarlyWriteback"]

# What the disk has not yet written may not be forgotten, so it gets time: until so much more was written behind it.
_LAG_BYTES = 64 << 20
# Small files stay open that long, of 1,024 that a process may usually have open.
_LAG_PARTS = 64


class EarlyWriteback:
    """Parts of files that were written, the oldest first.

    Where a system knows no such advice (macOS), nothing happens but that files are closed.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, int, bool]] = deque()
        self._bytes = 0

    def wrote(self, descriptor: int, offset: int, length: int, *, last: bool) -> None:
        """Have the disk begin with a part that was just written.

        Args:
            descriptor: Of the open file.
            offset: Where the part begins, bytes.
            length: Its bytes.
            last: Nothing more is written to the file; it is closed when the part is forgotten.
        """
        _advise(descriptor, offset, length)
        self._waiting.append((descriptor, offset, length, last))
        self._bytes += length
        while self._bytes > _LAG_BYTES or len(self._waiting) > _LAG_PARTS:
            self._forget_oldest()

    def close(self) -> None:
        """Forget all parts and close the files that are complete."""
        while self._waiting:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        descriptor, offset, length, last = self._waiting.popleft()
        self._bytes -= length
        try:
            _advise(descriptor, offset, length)
        finally:
            if last:
                os.close(descriptor)


def _advise(descriptor: int, offset: int, length: int) -> None:
    """Tell that nobody needs these bytes: dirty pages begin to be written, clean ones are forgotten."""
    # What a file system does not know about is no fault of the file's; what cannot be written is told by fsync.
    with contextlib.suppress(AttributeError, OSError):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
