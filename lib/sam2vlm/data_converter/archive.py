"""An export as named entries, from a ZIP archive or from an unpacked folder, without trusting either.

Nothing is unpacked to the disk: entries are read where they are, when somebody asks. Limits count the bytes that
really came out; what headers declare is only believed when it speaks against the archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sam2vlm.data_converter.archive_limits import ArchiveLimits
from sam2vlm.data_converter.folder_archive import FolderArchive, SingleFileArchive
from sam2vlm.data_converter.zip_archive import ZipArchive
from sam2vlm.errors import DataError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ArchiveLimits", "ExportArchive", "open_archive"]


class ExportArchive(Protocol):
    """Named entries whose bytes can be read any time, from any thread, and in a forked or spawned process."""

    @property
    def path(self) -> Path:
        """The archive or folder."""

    @property
    def limits(self) -> ArchiveLimits:
        """What it is held to."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, relative, with ``/``, sorted; without the litter that systems leave behind."""

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """Return an entry's bytes.

        Args:
            name: One of ``names``.
            at_most: A limit of this entry's own, in bytes.

        Raises:
            DataError: It is damaged, or a limit is passed.
        """

    def chunks(self, name: str, *, at_most: int | None = None) -> Iterator[bytes]:
        """Yield an entry's bytes in pieces, for one that is too large to hold.

        What is wrong may come out at its end: nothing is to be made of the pieces before that.

        Args:
            name: One of ``names``.
            at_most: A limit of this entry's own, in bytes.

        Raises:
            DataError: It is damaged, or a limit is passed.
        """

    def head(self, name: str, size: int) -> bytes:
        """Return at most ``size`` bytes from an entry's beginning, unchecked against its checksum."""


def open_archive(path: Path, *, limits: ArchiveLimits | None = None) -> ExportArchive:
    """Open an export for reading.

    Args:
        path: A ZIP archive, an unpacked folder, or a JSON file, which has no pictures.
        limits: See :class:`ArchiveLimits`.

    Raises:
        DataError: It is missing or neither; an entry is encrypted, leads outside, is a link or a device, or occurs
            twice; there are more entries or bytes than the limits allow.
        SettingsError: It may not be read.
    """
    held = limits or ArchiveLimits()
    try:
        if path.is_dir():
            return FolderArchive(path, held)
        if path.is_file():
            return SingleFileArchive(path, held) if path.suffix.casefold() == ".json" else ZipArchive(path, held)
    except OSError as error:
        raise from_os_error(error, doing="reading the export") from None
    raise DataError(
        "is not there",
        source=path,
        expected="a ZIP archive or a folder",
        found="a special file" if path.exists() else "nothing",
    )
