"""The automatic mask generator's output: a JSON file a picture, with everything it found there and no identities.

``SAM2AutomaticMaskGenerator.generate`` returns a list of ``{segmentation, bbox, area, predicted_iou, point_coords,
stability_score, crop_box}``; SA-1B wraps the same list as ``{"image": {...}, "annotations": [...]}``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.data_converter.dialects import AUTOMATIC_MASKS, DecodedMask, sized_mask
from sam2vlm.data_converter.entry_names import is_picture
from sam2vlm.data_converter.export_notes import grid_notes, left_out_notes, listed, many
from sam2vlm.data_converter.frame_records import refuse_turned
from sam2vlm.data_converter.json_fields import JsonObject, kind_of, read_document, source_of, top_object
from sam2vlm.data_converter.mask_tally import MaskTally
from sam2vlm.data_converter.pairing import by_key, content_identity, frame_numbers, pairing_key
from sam2vlm.data_converter.readers.document import json_names, open_document, shape_of
from sam2vlm.data_converter.readers.reading import Picture, find_picture, made_frame
from sam2vlm.data_converter.readers.still_times import STILLS_FPS, time_note
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sam2vlm.annotations import Frame, ObjectAnnotation, VideoMetadata
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.readers.reading import FrameTally

__all__ = ["AutomaticMasksReader"]


class AutomaticMasksReader:
    """Reads one JSON a picture; see :class:`sam2vlm.data_converter.readers.reading.ExportReader`.

    A mask belongs to no track: every object of the export has a number of its own.

    Args:
        archive: The export.
        evidence: Why it is the generator's output.
        label: Given to every object; the generator knows no labels.
        fps: Frames a second where the pictures are a video's; None where nobody knows.
    """

    def __init__(self, archive: ExportArchive, *, evidence: str, label: str, fps: float | None) -> None:
        self._archive = archive
        self._evidence = evidence
        self._label = label
        self._fps = fps
        self._pictures = by_key(filter(is_picture, archive.names), archive, "pictures")
        self._files: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._unused: list[str] = []
        for key, name in by_key(json_names(archive), archive, "JSON files").items():
            if key in self._pictures or shape_of(open_document(archive, name).value) == AUTOMATIC_MASKS:
                self._files[key[0]].append(name)
            else:
                self._unused.append(name)
        self._tally = MaskTally()
        self._objects = 0
        self._short_boxes = 0
        self._names: dict[tuple[str, int], str] = {}
        # A file without masks and picture tells no size; its neighbours' serves.
        self._size: tuple[int, int] | None = None

    @property
    def video_size(self) -> tuple[int, int] | None:
        """None: pictures may be of any size."""
        return None

    def frames(self) -> Iterator[Frame]:
        """Yield a frame a file, folder by folder."""
        for folders, names in sorted(self._files.items()):
            numbers = frame_numbers(names)
            ordered = sorted(names, key=numbers.__getitem__)
            video_id = content_identity(self._archive, ordered, sequence="/".join(folders[-1:]))
            for name in ordered:
                self._names[video_id, numbers[name]] = name
                yield self._frame(name, video_id, numbers[name])

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that a file has no picture."""
        self._refuse(self._names[frame.video_id, frame.frame_index])

    def _refuse(self, name: str) -> NoReturn:
        stem = pairing_key(name)[1]
        raise DataError(
            f"has no picture in {self._archive.path.name}",
            source=source_of(self._archive, name),
            expected=f"{stem}.jpg or {stem}.png",
            found="nothing",
        )

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return what is known: the generator tells nothing of a video."""
        notes = [
            "The automatic mask generator follows nothing: every mask is an object of its own.",
            time_note(self._fps, STILLS_FPS),
            *grid_notes(self._tally),
            *left_out_notes(tally),
        ]
        if self._unused:
            notes.append(f"{many(len(self._unused), 'JSON file')} not used, as without masks: {listed(self._unused)}.")
        if self._short_boxes:
            notes.append(
                f"{many(self._short_boxes, 'mask')} with a stored box a pixel short on two sides, as the generator "
                "computes it; boxes were taken from the masks."
            )
        if not self._label:
            notes.append("The automatic mask generator gives no labels; every object is without one.")
        return tally.untold_video(dialect=AUTOMATIC_MASKS, evidence=self._evidence, fps=self._fps, notes=notes)

    def _frame(self, name: str, video_id: str, index: int) -> Frame:
        image, items = self._items(name)
        masks = [(item, self._mask(item)) for item in items]
        self._size = _told_size(image, masks) or self._size
        picture = self._picture(name)
        objects = tuple(self._object(item, decoded, picture.size) for item, decoded in masks)
        return made_frame(
            self._archive,
            picture,
            video_id=video_id,
            index=index,
            seconds=index / (self._fps or STILLS_FPS),
            objects=objects,
        )

    def _items(self, name: str) -> tuple[JsonObject, Sequence[JsonObject]]:
        value, _digest = read_document(self._archive, name)
        source = source_of(self._archive, name)
        if isinstance(value, dict):
            top = top_object(value, source)
            return top.child("image"), top.children("annotations")
        if not isinstance(value, list):
            raise DataError("wrong shape", source=source, expected="a list of masks", found=kind_of(value))
        return JsonObject({}, source, "image"), _objects_of(value, source)

    def _picture(self, name: str) -> Picture:
        found = self._pictures.get(pairing_key(name))
        if found is None and self._size is None:
            self._refuse(name)
        return find_picture(self._archive, found, self._size or (1, 1))

    @staticmethod
    def _mask(item: JsonObject) -> DecodedMask:
        key = "segmentation"
        value = item.values.get(key)
        if not isinstance(value, dict):
            found = "nothing" if value is None else kind_of(value)
            item.fail(
                key, "is no RLE; let the generator write coco_rle", expected='{"size": ..., "counts": ...}', found=found
            )
        try:
            return sized_mask(value)
        except DataError as error:
            item.fail(key, error.message, expected=error.expected, found=error.found)

    def _object(self, item: JsonObject, decoded: DecodedMask, size: tuple[int, int]) -> ObjectAnnotation:
        refuse_turned(decoded, size, item, "segmentation")
        stored = item.optional_numbers("bbox", count=4)
        item.optional_number("stability_score")
        if stored is not None and decoded.box is not None:
            x, y, w, h = decoded.box
            self._short_boxes += stored == (x, y, w - 1, h - 1)
        self._objects += 1
        return self._tally.annotated(
            decoded,
            size,
            object_id=self._objects - 1,
            label=self._label,
            confidence=item.optional_number("predicted_iou"),
            stored_bbox=None if stored is None else (stored[0], stored[1], stored[2], stored[3]),
            stored_area=item.optional_number("area"),
        )


def _told_size(image: JsonObject, masks: list[tuple[JsonObject, DecodedMask]]) -> tuple[int, int] | None:
    width, height = image.optional_integer("width", least=1), image.optional_integer("height", least=1)
    if width is not None and height is not None:
        return width, height
    return (masks[0][1].width, masks[0][1].height) if masks else None


def _objects_of(items: list[Any], source: str) -> list[JsonObject]:
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            raise DataError(
                "wrong type", source=source, field=f"[{position}]", expected="an object", found=kind_of(item)
            )
    return [JsonObject(item, source, f"[{position}]") for position, item in enumerate(items)]
