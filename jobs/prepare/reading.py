"""From the settings to the parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_converter.archive import ArchiveLimits, open_archive
from sam2vlm.data_converter.sam2_parser import SAM2Parser

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.prepare.settings import ArchiveSettings
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.sam2_parser import ParsedExport

__all__ = ["open_export", "read_export"]


def open_export(path: Path, settings: ArchiveSettings) -> ExportArchive:
    """Open the export without reading its annotations.

    Raises:
        DataError: It is missing, damaged, or holds what an archive from outside must not hold.
        SettingsError: It may not be read.
    """
    return open_archive(path, limits=_limits(settings))


def read_export(path: Path, settings: ArchiveSettings) -> ParsedExport:
    """Read the export's annotations; its pictures are read when somebody asks.

    Raises:
        DataError: Something in it is wrong; entry and field are named.
    """
    return SAM2Parser(dialect=settings.dialect, limits=_limits(settings)).parse_zip(path)


def _limits(settings: ArchiveSettings) -> ArchiveLimits:
    return ArchiveLimits(
        entries=settings.max_entries, unpacked_bytes=settings.max_unpacked_bytes, ratio=settings.max_ratio
    )
