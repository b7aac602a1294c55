"""From the settings to the exports and videos that are meant, and to their frames as one set."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.artifacts import digest_of_file, digest_of_tree, digest_of_value
from sam2vlm.data_converter.archive import ArchiveLimits, open_archive
from sam2vlm.data_converter.clean_frames import rows_by_video, with_clean_frames
from sam2vlm.data_converter.earlier_dataset import find_earlier
from sam2vlm.data_converter.export_places import find_exports, short_names
from sam2vlm.data_converter.export_set import ExportSummary, NamedExport, merge_exports
from sam2vlm.data_converter.sam2_parser import ParsedExport, SAM2Parser
from sam2vlm.errors import DataError, SettingsError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from jobs.prepare.settings import ArchiveSettings, PrepareSettings
    from sam2vlm.data_converter.export_set import ExportSet

__all__ = ["Source", "Sources", "find_sources", "read_sources"]

SKIP = "skip"
# Libraries, logs and outputs.
FILES_BESIDES = 512


@dataclass(frozen=True, slots=True)
class Source:
    """One export.

    Attributes:
        name: What reports call it: the shortest end of its path that no other has.
        path: The archive, folder or file.
        refused: Why it may not be read at all; None where it may.
    """

    name: str
    path: Path
    refused: DataError | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is to be prepared.

    Attributes:
        exports: By name.
        videos: Source videos as the setting gives them: one for all, or by export, file name or video id.
        earlier: The prepare folder that is extended; None where a dataset is begun.
    """

    exports: tuple[Source, ...]
    videos: Path | dict[str, Path] | None
    earlier: Path | None

    @property
    def where(self) -> str:
        """What messages about all of them name: the only export's path, else how many there are."""
        return str(self.exports[0].path) if len(self.exports) == 1 else f"{len(self.exports)} exports"

    def digests(self) -> dict[str, str]:
        """Return the digest of each input by its name, for the manifest."""
        several = len(self.exports) > 1
        found = {f"export {one.name}" if several else "export": _digest(one) for one in self.exports}
        if isinstance(self.videos, dict):
            names = {str(one.path): one.name for one in self.exports}
            found |= {f"video {names.get(key, key)}": digest_of_file(path) for key, path in sorted(self.videos.items())}
        elif self.videos is not None:
            found["video"] = digest_of_file(self.videos)
        if self.earlier is not None:
            found["extend"] = digest_of_file(self.earlier / "manifest.json")
        return found


def find_sources(settings: PrepareSettings) -> Sources:
    """Find what the settings name, and open every export once without reading its annotations.

    Raises:
        SettingsError: No export is named, or something may not be read.
        DataError: A video or an earlier dataset is missing; an export is missing, damaged, or holds what an archive
            from outside must not hold, and the settings do not say to skip it.
    """
    paths = find_exports(settings.export or ())
    if not paths:
        raise SettingsError(
            "names no export to prepare", source="SAM2VLM_EXPORT", expected="a ZIP archive or a folder", found="nothing"
        )
    _allow_open_files(len(paths))
    exports = []
    for name, path in sorted(zip(short_names(paths), paths, strict=True)):
        refused = None
        try:
            open_archive(path, limits=_limits(settings.archive))
        except DataError as error:
            if not _may_skip(settings, len(paths)):
                raise
            refused = error
        exports.append(Source(name, path, refused))
    return Sources(
        exports=tuple(exports),
        videos=_videos(settings),
        earlier=None if settings.extend is None else find_earlier(settings.extend),
    )


def read_sources(sources: Sources, settings: PrepareSettings, scratch: Path) -> ExportSet:
    """Read every export's annotations, take clean frames where a video is given, and merge them.

    Args:
        sources: See :func:`find_sources`.
        settings: The job's settings.
        scratch: A folder for what is needed while the frames are read; gone with the phase.

    Raises:
        DataError: Something in an export or video is wrong; export, entry and field are named.
        SettingsError: A video is given for an export that is not there, or one for several.
    """
    videos = _VideoChoice(sources)
    read: list[NamedExport] = []
    bad: list[ExportSummary] = []
    first_error: DataError | None = None
    for number, source in enumerate(sources.exports):
        try:
            read.append(NamedExport(source.name, _read(source, settings, videos, scratch / f"{number:06d}")))
        except DataError as error:
            told = _naming(error, source, several=len(sources.exports) > 1)
            if not _may_skip(settings, len(sources.exports)):
                raise told from None
            first_error = first_error or told
            bad.append(ExportSummary(source.name, left_out=str(told).replace(str(source.path), source.name)))
            get_logger("prepare").warning("skipped a bad export", export=source.name, reason=str(told))
    if first_error is not None and not read:
        raise first_error
    videos.check_all_used()
    if len(sources.exports) == 1:
        # An only export is known by what it says of itself, whatever its archive is called.
        read = [NamedExport(one.export.metadata.filename or one.export.metadata.video_id, one.export) for one in read]
    return merge_exports(read, left_out=bad)


def _read(source: Source, settings: PrepareSettings, videos: _VideoChoice, scratch: Path) -> ParsedExport:
    if source.refused is not None:
        videos.take_names(source)
        raise source.refused
    scratch.mkdir(parents=True, exist_ok=True)
    reading = SAM2Parser(
        dialect=settings.archive.dialect,
        limits=_limits(settings.archive),
        pictures_required=not videos.given,
        default_label=settings.archive.default_label,
        fps=settings.archive.fps,
    ).read(source.path)
    frames = FrameStore(reading.frames(), read_image=reading.read_picture, folder=scratch)
    export = ParsedExport(frames=frames, metadata=reading.metadata, dropped=reading.dropped)
    if videos.given:
        export = with_clean_frames(export, videos.of(source, export), scratch)
    if settings.sources.bad == SKIP:
        # A damaged picture is found while it is read, and then it is too late to leave its export out.
        for frame in export.frames:
            if frame.read_image is not None:
                frame.read_image()
    return export


class _VideoChoice:
    """Which video belongs to which export."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._unused = set(sources.videos) if isinstance(sources.videos, dict) else set()

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self._sources.videos is not None

    def of(self, source: Source, export: ParsedExport) -> dict[str, Path]:
        """Return the videos of an export by video id."""
        ids = list(rows_by_video(export.frames))
        if not isinstance(self._sources.videos, dict):
            return {ids[0]: self._only(len(ids))}
        whole = [*self.take_names(source), export.metadata.filename or ""] if len(ids) == 1 else []
        found = {}
        for video_id in ids:
            for key in (*whole, video_id):
                if key in self._sources.videos and video_id not in found:
                    found[video_id] = self._sources.videos[key]
                    self._unused.discard(key)
        return found

    def take_names(self, source: Source) -> list[str]:
        """Return the names that an export has in the setting, and count them as used."""
        names = [source.name, str(source.path), source.path.name]
        self._unused.difference_update(names)
        return names

    def check_all_used(self) -> None:
        """Refuse a name that no export has."""
        if self._unused:
            raise SettingsError(
                "names an export or video that is not there",
                source="SAM2VLM_VIDEO",
                expected=f"an export's name or path ({', '.join(one.name for one in self._sources.exports[:3])}), its "
                "video's file name, or a video id",
                found=min(self._unused),
            )

    def _only(self, ids: int) -> Path:
        videos = len(self._sources.exports) if ids == 1 else ids
        if videos > 1 or self._sources.videos is None or isinstance(self._sources.videos, dict):
            raise SettingsError(
                f"is one video, but there are {videos} to take frames from",
                source="SAM2VLM_VIDEO",
                expected='{"export, file name or video id": "video", ...}',
                found=self._sources.videos,
            )
        return self._sources.videos


def _videos(settings: PrepareSettings) -> Path | dict[str, Path] | None:
    given = settings.video
    if not given:
        return None
    videos = {key: Path(value) for key, value in given.items()} if isinstance(given, dict) else Path(given)
    for path in videos.values() if isinstance(videos, dict) else (videos,):
        if not path.is_file():
            found = "a folder" if path.is_dir() else "a special file" if path.exists() else "nothing"
            raise DataError("is not there", source=path, expected="a video", found=found)
    return videos


def _may_skip(settings: PrepareSettings, exports: int) -> bool:
    return settings.sources.bad == SKIP and exports > 1


def _naming(error: DataError, source: Source, *, several: bool) -> DataError:
    """Return the error with the export's name, where it does not name the export already."""
    if not several or str(source.path) in str(error):
        return error
    return error.with_source(": ".join(part for part in (str(source.path), error.source) if part))


def _allow_open_files(exports: int) -> None:
    """Raise the soft limit of open files as far as it is needed and allowed.

    Every export has its list of frames open, and its archive once for each thread that reads pictures.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_BESIDES + exports * (2 + (os.cpu_count() or 1))
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if resource.RLIM_INFINITY != soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _digest(source: Source) -> str:
    # What may not be read (links, devices) is not read for a digest either.
    return digest_of_tree(source.path) if source.refused is None else digest_of_value(source.refused.message)


def _limits(settings: ArchiveSettings) -> ArchiveLimits:
    return ArchiveLimits(
        entries=settings.max_entries, unpacked_bytes=settings.max_unpacked_bytes, ratio=settings.max_ratio
    )
