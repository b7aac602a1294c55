"""One record of ``annotations.json`` to one frame: every field checked, boxes and areas from the masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.mask_tally import MaskTally
from sam2vlm.data_converter.readers.reading import Picture, made_frame
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.annotations import Frame, ObjectAnnotation
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.dialects import DecodedMask, MaskReader
    from sam2vlm.data_converter.json_fields import JsonObject

__all__ = ["FrameReader", "mask_of", "refuse_turned"]

MASK_FIELDS = ("mask_rle", "segmentation")


class FrameReader:
    """Turns records into frames.

    Args:
        archive: For the pictures.
        video_id: Of every frame.
        video: Width and height as the export says, or None.
        fps: For frames without a timestamp.
        masks: Decodes the masks.
    """

    def __init__(
        self,
        archive: ExportArchive,
        *,
        video_id: str,
        video: tuple[int, int] | None,
        fps: float | None,
        masks: MaskReader,
    ) -> None:
        self._archive = archive
        self._video_id = video_id
        self._video = video
        self._fps = fps
        self._masks = masks
        self._last_told = -1.0
        self.tally = MaskTally()

    def read(self, record: JsonObject, picture: str | None, size: tuple[int, int]) -> Frame:
        """Read one frame.

        Args:
            record: The frame's member of ``annotations``.
            picture: The entry of its picture.
            size: Width and height of the picture in pixels; the frame's own.

        Raises:
            DataError: A field is missing, has the wrong type or an impossible value, or an object occurs twice.
        """
        index = record.integer("frame_index")
        return made_frame(
            self._archive,
            Picture(picture, size),
            video_id=self._video_id,
            index=index,
            seconds=self._timestamp(record, index),
            objects=self._objects(record, size),
        )

    def _timestamp(self, record: JsonObject, index: int) -> float:
        told = record.optional_number("timestamp_sec")
        if told is not None:
            self.tally.falling_times += told <= self._last_told
            self._last_told = told
            return told
        if not self._fps:
            record.fail("timestamp_sec", "is missing, and no frame rate is told", expected="seconds", found="nothing")
        self.tally.computed_times += 1
        return index / self._fps

    def _objects(self, record: JsonObject, size: tuple[int, int]) -> tuple[ObjectAnnotation, ...]:
        seen: dict[int, str] = {}
        objects = []
        for item in record.children("objects"):
            found = self._object(item, size)
            if found.object_id in seen:
                item.fail(
                    "object_id",
                    "occurs twice in one frame",
                    expected="one mask an object",
                    found=f"{found.object_id} also in {seen[found.object_id]}",
                )
            seen[found.object_id] = item.path
            objects.append(found)
        return tuple(objects)

    def _object(self, item: JsonObject, size: tuple[int, int]) -> ObjectAnnotation:
        object_id = item.integer("object_id")
        label = item.optional_text("label") or ""
        confidence = item.optional_number("confidence")
        stored = item.optional_numbers("bbox", count=4)
        stored_box = None if stored is None else (stored[0], stored[1], stored[2], stored[3])
        return self.tally.annotated(
            self._mask(item, size),
            size,
            object_id=object_id,
            label=label,
            confidence=confidence,
            stored_bbox=stored_box,
            stored_area=item.optional_number("area"),
        )

    def _mask(self, item: JsonObject, size: tuple[int, int]) -> DecodedMask:
        key, value = mask_of(item)
        try:
            decoded = self._masks.read(value, self._video or size)
        except DataError as error:
            item.fail(key, error.message, expected=error.expected, found=error.found)
        refuse_turned(decoded, size, item, key)
        return decoded


def mask_of(item: JsonObject) -> tuple[str, Any]:
    """Return the field that holds an object's mask, and the mask as JSON has it."""
    key = next((key for key in MASK_FIELDS if key in item), None)
    if key is None:
        item.fail(MASK_FIELDS[0], "is missing", expected="a mask", found="nothing")
    return key, item.values[key]


def refuse_turned(decoded: DecodedMask, size: tuple[int, int], item: JsonObject, key: str) -> None:
    """Refuse a mask whose grid is the frame's with width and height in each other's place.

    Args:
        decoded: The mask.
        size: Width and height of the frame.
        item: The object it belongs to.
        key: The mask's field.

    Raises:
        DataError: It is.
    """
    if decoded.height != decoded.width and (decoded.height, decoded.width) == size:
        item.fail(
            f"{key}.size",
            "has width and height in each other's place",
            expected=f"[height, width] = [{size[1]}, {size[0]}]",
            found=[decoded.height, decoded.width],
        )
