"""How much an archive may hold, and of what kind."""

from __future__ import annotations

import stat
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.entry_names import place_of
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ArchiveLimits", "ByteBudget", "check_count", "check_kind", "check_size"]


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes:
        entries: Files and folders.
        unpacked_bytes: Of all entries together.
        ratio: Unpacked bytes to one packed byte of an entry, once it has grown beyond 1 MiB.
        json_bytes: Of one JSON entry.
    """

    entries: int = 100_000
    unpacked_bytes: int = 10_000_000_000
    ratio: float = 100.0
    json_bytes: int = 1_000_000_000


class ByteBudget:
    """Bytes that came out so far; an entry that is read again counts once.

    Args:
        path: The archive.
        limit: Of all entries together, bytes.
        names: Of the entries, sorted.
    """

    def __init__(self, path: Path, limit: int, names: tuple[str, ...]) -> None:
        self._path = path
        self._limit = limit
        self._names = names
        self._sizes = array("Q", bytes(8 * len(names)))
        self._total = 0

    def spend(self, name: str, size: int) -> None:
        """Count an entry's bytes, so many of which have come out so far.

        Raises:
            DataError: All entries together passed the limit.
        """
        place = place_of(self._names, name)
        before = self._sizes[place]
        if size <= before:
            return
        self._sizes[place] = size
        self._total += size - before
        if self._total > self._limit:
            raise DataError(
                f"unpacks to more than the limit, at {name}",
                source=self._path,
                expected=f"at most {self._limit} bytes",
                found=f"{self._total} bytes and more",
            )


def check_count(path: Path, count: int, limits: ArchiveLimits) -> None:
    """Refuse more entries than the limit.

    Raises:
        DataError: There are more.
    """
    if count > limits.entries:
        raise DataError(
            "holds too many entries", source=path, expected=f"at most {limits.entries}", found=f"{count} and more"
        )


def check_size(path: Path, name: str, size: int, at_most: int | None) -> None:
    """Refuse an entry that is larger than its own limit.

    Raises:
        DataError: It is.
    """
    if at_most is not None and size > at_most:
        raise DataError(
            f"holds the entry {name}, which is too large", source=path, expected=f"at most {at_most} bytes", found=size
        )


def check_kind(path: Path, name: str, kind: int) -> None:
    """Refuse what is neither a file nor a folder.

    Args:
        path: The archive.
        name: The entry.
        kind: File type bits of its mode (``stat.S_IFMT``); 0 where they are not told.

    Raises:
        DataError: It is a link, a device, a pipe or a socket; the entry is named.
    """
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):
        return
    what = "a link" if kind == stat.S_IFLNK else "a device or another special file"
    raise DataError(f"holds {name}, which is {what}", source=path, expected="files and folders", found=what)
