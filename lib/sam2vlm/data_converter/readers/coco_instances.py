"""COCO instances: one JSON of images, annotations and categories, masks as polygons, list RLE or compressed RLE."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from sam2vlm.annotations.coco_rle import read_size
from sam2vlm.data_converter.dialects import COCO_INSTANCES, DecodedMask, decoded_runs, sized_mask
from sam2vlm.data_converter.export_notes import grid_notes, label_notes, left_out_notes, many
from sam2vlm.data_converter.frame_records import refuse_turned
from sam2vlm.data_converter.json_fields import kind_of
from sam2vlm.data_converter.mask_tally import MaskTally
from sam2vlm.data_converter.pairing import frame_numbers, named_picture, pictures_by_file
from sam2vlm.data_converter.polygons import runs_from_polygons
from sam2vlm.data_converter.readers.coco_tables import CocoImage, read_tables
from sam2vlm.data_converter.readers.reading import Picture, find_picture, made_frame
from sam2vlm.data_converter.readers.still_times import STILLS_FPS, time_note
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.annotations import Frame, ObjectAnnotation, VideoMetadata
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.json_fields import JsonObject
    from sam2vlm.data_converter.readers.document import Document
    from sam2vlm.data_converter.readers.reading import FrameTally

__all__ = ["CocoInstancesReader"]

_KEY = "segmentation"
# Boxes may begin a little outside of the picture; they are only compared, never used.
_FAR = -(2.0**20)


class CocoInstancesReader:
    """Reads one instances file; see :class:`sam2vlm.data_converter.readers.reading.ExportReader`.

    Args:
        archive: The export.
        document: The file.
        evidence: Why it is a COCO file.
        fps: Frames a second where the pictures are a video's; None where nobody knows.

    Raises:
        DataError: The tables do not fit together, or two images are of one frame.
    """

    def __init__(self, archive: ExportArchive, document: Document, *, evidence: str, fps: float | None) -> None:
        self._archive = archive
        self._document = document
        self._evidence = evidence
        self._fps = fps
        self._tables = read_tables(document.object())
        self._sequences = self._indexed()
        self._pictures = pictures_by_file(archive)
        self._used: dict[str, str] = {}
        self._images: dict[tuple[str, int], CocoImage] = {}
        self._tally = MaskTally()
        self._empty = 0
        self._crowds = 0

    @property
    def video_size(self) -> tuple[int, int] | None:
        """None: every image has a size of its own."""
        return None

    def frames(self) -> Iterator[Frame]:
        """Yield a frame an image, sequence by sequence."""
        for video_id, images in self._sequences.items():
            for index, image in sorted(images.items()):
                self._images[video_id, index] = image
                yield self._frame(image, video_id, index)

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that an image's picture is missing."""
        self._refuse(self._images[frame.video_id, frame.frame_index])

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return what is known: the file tells nothing of a video."""
        notes = [time_note(self._fps, STILLS_FPS)]
        if self._tables.track_key is None:
            notes.append("The annotations have no track_id; every annotation is an object of its own, by its id.")
        if self._empty:
            notes.append(f"{many(self._empty, 'annotation')} without a mask; such an object counts as not visible.")
        if self._crowds:
            notes.append(f"{many(self._crowds, 'annotation')} of a crowd and was read as one object.")
        return tally.untold_video(
            dialect=COCO_INSTANCES,
            evidence=self._evidence,
            fps=self._fps,
            notes=[*notes, *grid_notes(self._tally), *label_notes(self._tally), *left_out_notes(tally)],
        )

    def _indexed(self) -> dict[str, dict[int, CocoImage]]:
        """Return the images of each sequence by frame index."""
        by_sequence: dict[str, list[CocoImage]] = defaultdict(list)
        for image in self._tables.images:
            by_sequence[image.sequence].append(image)
        alone = len(by_sequence) == 1
        found: dict[str, dict[int, CocoImage]] = {}
        for sequence, images in sorted(by_sequence.items()):
            numbers = frame_numbers([image.file_name for image in images])
            indexed: dict[int, CocoImage] = {}
            for image in images:
                index = numbers[image.file_name] if image.index is None else image.index
                if index in indexed:
                    key = "file_name" if image.index is None else "frame_index"
                    told = f"{index} also in {indexed[index].record.path}"
                    image.record.fail(key, "is of a frame that is there", expected="one image a frame", found=told)
                indexed[index] = image
            found[self._video_id("" if alone else sequence)] = indexed
        return found

    def _video_id(self, sequence: str) -> str:
        identity = self._document.identity
        return hashlib.sha256(f"{identity}\0{sequence}".encode()).hexdigest()[: len(identity)] if sequence else identity

    def _frame(self, image: CocoImage, video_id: str, index: int) -> Frame:
        picture = self._picture(image)
        grid = image.size or picture.size
        seen: dict[int, str] = {}
        objects = []
        for annotation in image.annotations:
            found = self._object(annotation, grid, picture.size)
            if found.object_id in seen:
                annotation.fail(
                    self._tables.track_key or "id",
                    "occurs twice in one image",
                    expected="one mask an object",
                    found=f"{found.object_id} also in {seen[found.object_id]}",
                )
            seen[found.object_id] = annotation.path
            objects.append(found)
        return made_frame(
            self._archive,
            picture,
            video_id=video_id,
            index=index,
            seconds=index / (self._fps or STILLS_FPS),
            objects=tuple(objects),
        )

    def _picture(self, image: CocoImage) -> Picture:
        file = image.file_name.rpartition("/")[2]
        name = named_picture(image.file_name, self._pictures.get(file, ()), self._archive)
        if name is None and image.size is None:
            self._refuse(image)
        if name is not None:
            if name in self._used:
                image.record.fail(
                    "file_name",
                    "is the picture of another image",
                    expected="one image a picture",
                    found=self._used[name],
                )
            self._used[name] = image.record.path
        return find_picture(self._archive, name, image.size or (1, 1))

    def _refuse(self, image: CocoImage) -> NoReturn:
        image.record.fail(
            "file_name",
            f"is not in {self._archive.path.name}",
            expected="a picture of this name",
            found=image.file_name,
        )

    def _object(self, item: JsonObject, grid: tuple[int, int], size: tuple[int, int]) -> ObjectAnnotation:
        decoded = self._mask(item, grid)
        refuse_turned(decoded, size, item, _KEY)
        stored = item.optional_numbers("bbox", count=4, least=_FAR)
        self._crowds += bool(item.optional_integer("iscrowd"))
        return self._tally.annotated(
            decoded,
            size,
            object_id=self._tables.object_id(item),
            label=self._tables.label(item),
            confidence=item.optional_number("score"),
            stored_bbox=None if stored is None else (stored[0], stored[1], stored[2], stored[3]),
            stored_area=item.optional_number("area"),
        )

    def _mask(self, item: JsonObject, grid: tuple[int, int]) -> DecodedMask:
        value: Any = item.values.get(_KEY)
        self._empty += not value
        if not isinstance(value, dict | list | None):
            item.fail(_KEY, "wrong type for a mask", expected="polygons or an RLE", found=kind_of(value))
        try:
            return sized_mask(value) if isinstance(value, dict) else _drawn(value or [], *grid)
        except DataError as error:
            item.fail(_KEY, error.message, expected=error.expected, found=error.found)


def _drawn(polygons: list[Any], width: int, height: int) -> DecodedMask:
    read_size([height, width])  # before pycocotools makes a mask of it
    runs = runs_from_polygons(polygons, height, width) if polygons else np.array([width * height], np.int64)
    return decoded_runs(COCO_INSTANCES, runs, height, width, "F")
