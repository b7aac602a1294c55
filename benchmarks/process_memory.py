"""The most memory that a process and all that it starts have together."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

__all__ = ["PeakMemory"]

_EVERY_S = 0.25


class PeakMemory:
    """Looks at a process and its descendants four times a second, for as long as the block is left open.

    Pages that several of them share are counted once (the kernel's PSS), those of mapped files too.

    Args:
        process: Its number.

    Attributes:
        peak_bytes: The largest sum.
    """

    def __init__(self, process: int) -> None:
        self.peak_bytes = 0
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY_S):
            self.peak_bytes = max(self.peak_bytes, sum(map(_bytes_of, _family(self._process))))


def _family(process: int) -> list[int]:
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        found += [one for child in _read(task).split() for one in _family(int(child))]
    return found


def _bytes_of(process: int) -> int:
    for line in _read(Path(f"/proc/{process}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended
