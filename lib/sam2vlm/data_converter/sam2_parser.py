"""The reader of SAM 2 exports: an archive or a folder in, checked frames and what was noticed out."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.annotations import Frame, Track, VideoMetadata, tracks_of
from sam2vlm.data_converter.archive import ArchiveLimits, open_archive
from sam2vlm.data_converter.dialects import AUTO, checked_dialect
from sam2vlm.data_converter.picture_check import read_checked
from sam2vlm.data_converter.readers.choice import open_reader
from sam2vlm.data_converter.readers.reading import EMPTY_WITHOUT_PICTURE, FrameTally, kept_frames
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["EMPTY_WITHOUT_PICTURE", "ExportReading", "ParsedExport", "SAM2Parser"]


@dataclass(frozen=True, slots=True)
class ParsedExport:
    """One export, read and checked.

    Attributes:
        frames: Video by video, by frame index. Pictures are read when asked for, from where they are.
        metadata: About the video and the reading.
        dropped: Frame indices that were left out, by reason.
    """

    frames: Sequence[Frame]
    metadata: VideoMetadata
    dropped: Mapping[str, tuple[int, ...]]

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Every object along time, with where it is visible; see :func:`sam2vlm.annotations.tracks_of`."""
        return tracks_of(self.frames)


class ExportReading:
    """An export whose frames come one by one, for those who cannot hold them all.

    Args:
        path: A ZIP archive, the folder of an unpacked one, or a JSON file without pictures.
        dialect: See :class:`SAM2Parser`, as the rest.
        limits: How much an archive may hold.
        pictures_required: Refuse a frame with a visible object and no picture.
        default_label: For the objects of dialects that have no labels.
        fps: For the frames of dialects that have no times.

    Raises:
        DataError: It cannot be read, or is of no dialect.
    """

    def __init__(
        self,
        path: Path,
        *,
        dialect: str = AUTO,
        limits: ArchiveLimits | None = None,
        pictures_required: bool = True,
        default_label: str = "",
        fps: float | None = None,
    ) -> None:
        self._archive = open_archive(path, limits=limits or ArchiveLimits())
        self._reader = open_reader(self._archive, dialect=dialect, default_label=default_label, fps=fps)
        self._pictures_required = pictures_required
        self._tally = FrameTally()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, once, video by video, by ascending index.

        Raises:
            DataError: What the export says is wrong; the error names entry and field.
        """
        return kept_frames(self._reader, self._tally, self._archive, pictures_required=self._pictures_required)

    @property
    def read_picture(self) -> Callable[[str], bytes]:
        """Returns a picture's encoded bytes by its ``image_name``; outlives the reading and goes to other processes."""
        return functools.partial(read_checked, self._archive)

    @property
    def metadata(self) -> VideoMetadata:
        """About the video and the reading; complete when the last frame was read."""
        return self._reader.metadata(self._tally)

    @property
    def dropped(self) -> Mapping[str, tuple[int, ...]]:
        """Frame indices that were left out, by reason; complete when the last frame was read."""
        return {EMPTY_WITHOUT_PICTURE: tuple(self._tally.left_out)} if self._tally.left_out else {}


class SAM2Parser:
    """Reads exports of SAM 2's tools.

    ``parse_zip`` reads; ``get_frames``, ``metadata`` and ``dropped`` then speak of the last export read.

    Args:
        dialect: How masks are written or the export is laid out, one of
            ``sam2vlm.data_converter.dialects.DIALECTS``; ``auto`` finds out.
        limits: How much an archive may hold.
        pictures_required: Refuse a frame with a visible object and no picture, and leave out an empty frame without
            one. Without, both are kept and their ``read_image`` is None.
        default_label: What to call the objects of dialects that have no labels (SA-V, automatic masks, palettes).
        fps: Frames a second, for dialects that tell no times (automatic masks, COCO instances, palettes); None for
            each dialect's own assumption, which the notes tell.

    Raises:
        SettingsError: There is no such dialect, or no such rate.
    """

    def __init__(
        self,
        *,
        dialect: str = AUTO,
        limits: ArchiveLimits | None = None,
        pictures_required: bool = True,
        default_label: str = "",
        fps: float | None = None,
    ) -> None:
        self._dialect = checked_dialect(dialect)  # a wrong setting is told before any file is read
        if fps is not None and not 0 < fps <= _MOST_FPS:
            raise SettingsError(
                "is no frame rate", field="fps", expected=f"above 0, up to {_MOST_FPS:g} frames a second", found=fps
            )
        self._limits = limits or ArchiveLimits()
        self._pictures_required = pictures_required
        self._default_label = default_label
        self._fps = fps
        self._export: ParsedExport | None = None

    def parse_zip(self, path: str | Path) -> ParsedExport:
        """Read an export.

        Args:
            path: A ZIP archive, the folder of an unpacked one, or a JSON file without pictures.

        Raises:
            DataError: It cannot be read, or what it says is wrong; the error names entry and field.
        """
        reading = self.read(path)
        frames = tuple(reading.frames())
        self._export = ParsedExport(frames=frames, metadata=reading.metadata, dropped=reading.dropped)
        return self._export

    def read(self, path: str | Path) -> ExportReading:
        """Open an export to read it frame by frame.

        Args:
            path: As in :meth:`parse_zip`.

        Raises:
            DataError: It cannot be read, or is of no dialect.
        """
        return ExportReading(
            Path(path),
            dialect=self._dialect,
            limits=self._limits,
            pictures_required=self._pictures_required,
            default_label=self._default_label,
            fps=self._fps,
        )

    def get_frames(self) -> list[Frame]:
        """Return the frames of the last export read, video by video, by frame index."""
        return list(self._parsed().frames)

    @property
    def metadata(self) -> VideoMetadata:
        """About the video of the last export read."""
        return self._parsed().metadata

    @property
    def dropped(self) -> Mapping[str, tuple[int, ...]]:
        """Frame indices that were left out of the last export read, by reason."""
        return self._parsed().dropped

    def _parsed(self) -> ParsedExport:
        if self._export is None:
            raise DataError("no export has been read yet; call parse_zip first")
        return self._export


_MOST_FPS = 1000.0
