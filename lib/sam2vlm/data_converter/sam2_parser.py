"""The reader of SAM 2 exports: an archive or a folder in, checked frames and what was noticed out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sam2vlm.annotations import Frame, VideoMetadata
from sam2vlm.data_converter.archive import ArchiveLimits, ExportArchive, open_archive
from sam2vlm.data_converter.dialects import AUTO, MaskReader
from sam2vlm.data_converter.export_layout import ExportLayout, find_layout
from sam2vlm.data_converter.export_notes import evidence, index_notes, picture_notes, tally_notes
from sam2vlm.data_converter.frame_records import FrameReader
from sam2vlm.data_converter.json_fields import JsonObject, read_json
from sam2vlm.data_converter.pictures import picture_size
from sam2vlm.data_converter.video_facts import VideoFacts, read_video_facts
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EMPTY_WITHOUT_PICTURE", "ParsedExport", "SAM2Parser"]

EMPTY_WITHOUT_PICTURE = "no visible object and no picture"
_VIDEO_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ParsedExport:
    """One export, read and checked.

    Attributes:
        frames: By frame index. Pictures are read when asked for, from where they are.
        metadata: About the video and the reading.
        dropped: Frame indices that were left out, by reason.
    """

    frames: tuple[Frame, ...]
    metadata: VideoMetadata
    dropped: Mapping[str, tuple[int, ...]]


class SAM2Parser:
    """Reads exports of SAM 2's tools.

    ``parse_zip`` reads; ``get_frames``, ``metadata`` and ``dropped`` then speak of the last export read.

    Args:
        dialect: How masks are written, one of ``sam2vlm.data_converter.dialects.DIALECTS``; ``auto`` finds out.
        limits: How much an archive may hold.
        pictures_required: Refuse a frame with a visible object and no picture. Without, it is kept and its
            ``read_image`` is None.
    """

    def __init__(
        self, *, dialect: str = AUTO, limits: ArchiveLimits | None = None, pictures_required: bool = True
    ) -> None:
        MaskReader(dialect=dialect)  # a wrong setting is told before any file is read
        self._dialect = dialect
        self._limits = limits or ArchiveLimits()
        self._pictures_required = pictures_required
        self._export: ParsedExport | None = None

    def parse_zip(self, path: str | Path) -> ParsedExport:
        """Read an export.

        Args:
            path: A ZIP archive, or the folder of an unpacked one.

        Raises:
            DataError: It cannot be read, or what it says is wrong; the error names entry and field.
        """
        archive = open_archive(Path(path), limits=self._limits)
        layout = find_layout(archive)
        annotations, content = read_json(archive, layout.annotations)
        metadata = read_json(archive, layout.metadata)[0] if layout.metadata is not None else None
        facts = read_video_facts(annotations, metadata, archive)
        reader = FrameReader(
            archive,
            video_id=hashlib.sha256(content).hexdigest()[:_VIDEO_ID_DIGITS],
            video=facts.size,
            fps=facts.source_fps,
            masks=MaskReader(dialect=self._dialect, demo_tool=facts.demo_tool is not None),
        )
        records = _records_by_index(annotations)
        frames, dropped = self._frames(reader, records, layout, facts, archive)
        self._export = ParsedExport(
            frames=tuple(frames),
            metadata=self._metadata(
                frames=frames, dropped=dropped, records=records, reader=reader, layout=layout, facts=facts
            ),
            dropped={EMPTY_WITHOUT_PICTURE: tuple(dropped)} if dropped else {},
        )
        return self._export

    def get_frames(self) -> list[Frame]:
        """Return the frames of the last export read, by frame index."""
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

    def _frames(
        self,
        reader: FrameReader,
        records: Mapping[int, JsonObject],
        layout: ExportLayout,
        facts: VideoFacts,
        archive: ExportArchive,
    ) -> tuple[list[Frame], list[int]]:
        frames, dropped = [], []
        for index, record in records.items():
            picture = layout.pictures.get(index)
            size = facts.size if picture is None else picture_size(archive, picture)
            if size is None:
                self._refuse_missing(record, index, archive)
            frame = reader.read(record, picture, size)
            if picture is not None:
                frames.append(frame)
            elif not frame.visible_objects:
                dropped.append(index)
            elif self._pictures_required:
                self._refuse_missing(record, index, archive)
            else:
                frames.append(frame)
        if not frames:
            raise DataError(
                "holds no usable frame",
                source=archive.path,
                expected="a frame with a picture",
                found=f"{len(dropped)} annotated frames without objects and pictures" if dropped else "none",
            )
        return frames, dropped

    @staticmethod
    def _refuse_missing(record: JsonObject, index: int, archive: ExportArchive) -> NoReturn:
        record.fail(
            "frame_index",
            f"frame {index} has no picture in {archive.path.name}",
            expected=f"images/frame_{index:06d}.png",
            found="nothing",
        )

    def _metadata(
        self,
        *,
        frames: list[Frame],
        dropped: list[int],
        records: Mapping[int, JsonObject],
        reader: FrameReader,
        layout: ExportLayout,
        facts: VideoFacts,
    ) -> VideoMetadata:
        width, height = facts.size or (frames[0].width, frames[0].height)
        notes = [
            *facts.notes,
            *index_notes(facts, records, layout),
            *picture_notes(frames, facts.size, dropped),
            *tally_notes(reader.tally, facts),
        ]
        return VideoMetadata(
            video_id=frames[0].video_id,
            filename=facts.filename,
            width=width,
            height=height,
            source_fps=facts.source_fps,
            total_frames=facts.total_frames,
            duration_sec=facts.duration_sec,
            dialect="+".join(sorted(reader.tally.dialects)) or "none",
            evidence=evidence(reader.tally, facts, self._dialect),
            frame_indices=facts.frame_indices,
            notes=tuple(notes),
        )


def _records_by_index(annotations: JsonObject) -> dict[int, JsonObject]:
    records: dict[int, JsonObject] = {}
    for record in annotations.children("annotations"):
        index = record.integer("frame_index")
        if index in records:
            record.fail(
                "frame_index",
                "occurs twice",
                expected="one record a frame",
                found=f"{index} also in {records[index].path}",
            )
        records[index] = record
    return dict(sorted(records.items()))
