"""The demo tool's layout: ``annotations.json`` with a record a frame, ``metadata.json`` and numbered pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from sam2vlm.annotations import VideoMetadata
from sam2vlm.data_converter.dialects import AUTO, LOGITS_COLUMN_MAJOR, LOGITS_PIXELS, SAM2_DEMO, MaskReader
from sam2vlm.data_converter.export_layout import find_layout
from sam2vlm.data_converter.export_notes import evidence, index_notes, picture_notes, tally_notes
from sam2vlm.data_converter.frame_records import FrameReader
from sam2vlm.data_converter.json_fields import read_json
from sam2vlm.data_converter.pictures import picture_size
from sam2vlm.data_converter.readers.mask_sample import sampled_logits
from sam2vlm.data_converter.video_facts import read_video_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.json_fields import JsonObject
    from sam2vlm.data_converter.orientation import OrderScores
    from sam2vlm.data_converter.readers.document import Document
    from sam2vlm.data_converter.readers.reading import FrameTally

__all__ = ["FrameExportReader"]


class FrameExportReader:
    """Reads ``annotations.json``; see :class:`sam2vlm.data_converter.readers.reading.ExportReader`.

    Args:
        archive: The export.
        document: ``annotations.json``.
        dialect: How masks are written, ``auto`` or one of those for masks.

    Raises:
        DataError: The envelope is wrong, two records are of one frame, or nothing tells the order of the masks.
    """

    def __init__(self, archive: ExportArchive, document: Document, *, dialect: str) -> None:
        self._archive = archive
        self._dialect = dialect
        self._layout = find_layout(archive)
        annotations = document.object()
        metadata = read_json(archive, self._layout.metadata) if self._layout.metadata is not None else None
        self._facts = read_video_facts(annotations, metadata, archive)
        self._records = _RecordsByIndex(annotations)
        self._scores = self._scored()
        self._frames = FrameReader(
            archive,
            video_id=document.identity,
            video=self._facts.size,
            fps=self._facts.source_fps,
            masks=MaskReader(
                dialect=dialect,
                demo_tool=self._facts.demo_tool is not None,
                logits=None if self._scores is None else _LOGITS[self._scores.winner],
            ),
        )

    @property
    def video_size(self) -> tuple[int, int] | None:
        """Width and height as the export says."""
        return self._facts.size

    def frames(self) -> Iterator[Frame]:
        """Yield the frames by index."""
        for index, record in self._records.items():
            picture = self._layout.pictures.get(index)
            size = self._facts.size if picture is None else picture_size(self._archive, picture)
            if size is None:
                self._refuse(index)
            yield self._frames.read(record, picture, size)

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that a frame has no picture."""
        self._refuse(frame.frame_index)

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return the envelope and what was noticed."""
        facts, masks = self._facts, self._frames.tally
        width, height = facts.size or tally.size
        told = evidence(masks, facts, self._dialect)
        notes = [
            *facts.notes,
            *index_notes(facts, self._records, self._layout),
            *picture_notes(tally, facts.size),
            *tally_notes(masks, facts),
        ]
        if self._scores is not None:
            told += f"; {self._scores.sentence}"
            notes.append(f"The order of the masks was found out: {self._scores.sentence}.")
        return VideoMetadata(
            video_id=tally.videos[0],
            filename=facts.filename,
            width=width,
            height=height,
            source_fps=facts.source_fps,
            total_frames=facts.total_frames,
            duration_sec=facts.duration_sec,
            dialect="+".join(sorted(masks.dialects)) or "none",
            evidence=told,
            frame_indices=facts.frame_indices,
            notes=tuple(notes),
        )

    def _scored(self) -> OrderScores | None:
        """Find out the order of masks on the logits' grid where neither exporter nor setting tells it."""
        facts = self._facts
        if self._dialect != AUTO or (facts.size and facts.size[0] * facts.size[1] == LOGITS_PIXELS):
            return None
        sample = sampled_logits(self._records, self._layout.pictures, demo_tool=facts.demo_tool is not None)
        if not sample or (facts.size is None and _is_logits_sized(self._archive, sample[0].picture)):
            return None
        from sam2vlm.data_converter.orientation import decided, score_orders

        return decided(score_orders(self._archive, sample), sample[0])

    def _refuse(self, index: int) -> NoReturn:
        self._records[index].fail(
            "frame_index",
            f"frame {index} has no picture in {self._archive.path.name}",
            expected=f"images/frame_{index:06d}.png",
            found="nothing",
        )


_LOGITS: Mapping[str, str] = {"C": SAM2_DEMO, "F": LOGITS_COLUMN_MAJOR}


def _is_logits_sized(archive: ExportArchive, picture: str) -> bool:
    width, height = picture_size(archive, picture)
    return width * height == LOGITS_PIXELS


class _RecordsByIndex(Mapping[int, "JsonObject"]):
    """The records by frame index, ascending; a record is taken from where it is when somebody asks.

    Raises:
        DataError: Two records are of one frame, or one has no index.
    """

    def __init__(self, annotations: JsonObject) -> None:
        self._records = annotations.children("annotations")
        places: dict[int, int] = {}
        for position, record in enumerate(self._records):
            index = record.integer("frame_index")
            if index in places:
                record.fail(
                    "frame_index",
                    "occurs twice",
                    expected="one record a frame",
                    found=f"{index} also in {self._records[places[index]].path}",
                )
            places[index] = position
        self._places = dict(sorted(places.items()))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __getitem__(self, index: int) -> JsonObject:
        return self._records[self._places[index]]
