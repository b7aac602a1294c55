"""An export that somebody unpacked, or that is a single file."""

from __future__ import annotations

import functools
import os
import stat
from typing import TYPE_CHECKING

from sam2vlm.data_converter.archive_limits import ByteBudget, check_count, check_kind, check_size
from sam2vlm.data_converter.entry_names import is_litter, text_name
from sam2vlm.errors import from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sam2vlm.data_converter.archive_limits import ArchiveLimits

__all__ = ["FolderArchive", "SingleFileArchive"]


_CHUNK = 1 << 20


class FolderArchive:
    """An unpacked export; see :class:`sam2vlm.data_converter.archive.ExportArchive`."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self.path = path
        self.limits = limits
        self.names = tuple(sorted(self._files()))
        self._budget = ByteBudget(path, limits.unpacked_bytes, self.names)

    def __reduce__(self) -> tuple[object, tuple[Path, ArchiveLimits]]:
        return _reopened, (self.path, self.limits)

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.read`."""
        return b"".join(self.chunks(name, at_most=at_most))

    def chunks(self, name: str, *, at_most: int | None = None) -> Iterator[bytes]:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.chunks`."""
        try:
            # Before it is read: the size of a file on the disk is no claim of the sender.
            size = (self.path / name).stat().st_size
            check_size(self.path, name, size, at_most)
            self._budget.spend(name, size)
            with (self.path / name).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise from_os_error(error, doing="reading the export") from None

    def head(self, name: str, size: int) -> bytes:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.head`."""
        try:
            with (self.path / name).open("rb") as stream:
                return stream.read(size)
        except OSError as error:
            raise from_os_error(error, doing="reading the export") from None

    def _files(self) -> Iterator[str]:
        waiting = [""]
        count = 0
        while waiting:
            base = waiting.pop()
            with os.scandir(self.path / base) as found:
                for entry in found:
                    count += 1
                    check_count(self.path, count, self.limits)
                    name = f"{base}{entry.name}"
                    check_kind(self.path, name, stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode))
                    if is_litter(name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    else:
                        yield text_name(name, self.path)


class SingleFileArchive(FolderArchive):
    """A file as the only entry of its folder; what lies beside it belongs to others.

    Args:
        file: The file.
        limits: How much it may hold.
    """

    def __init__(self, file: Path, limits: ArchiveLimits) -> None:
        self._file = file.name
        super().__init__(file.parent, limits)

    def __reduce__(self) -> tuple[object, tuple[Path, ArchiveLimits]]:
        return SingleFileArchive, (self.path / self._file, self.limits)

    def _files(self) -> Iterator[str]:
        yield text_name(self._file, self.path)


@functools.lru_cache(maxsize=4)
def _reopened(path: Path, limits: ArchiveLimits) -> FolderArchive:
    # Frames travel to another process one by one, and each brings its archive along; it is opened there once.
    return FolderArchive(path, limits)
