"""One record of ``annotations.json`` to one frame: every field checked, boxes and areas from the masks."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import Frame, ObjectAnnotation, scale_box
from sam2vlm.data_converter.dialects import SAM2_DEMO, DecodedMask, MaskReader
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.annotations import Box
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.json_fields import JsonObject

__all__ = ["FrameReader", "MaskTally"]

MASK_FIELDS = ("mask_rle", "segmentation")


@dataclass(slots=True)
class MaskTally:
    """What was seen while masks were read, for the report.

    Attributes:
        dialects: Masks by dialect.
        transposed_boxes: Visible demo masks whose stored box is the transposed box of the mask.
        demo_masks: Visible demo masks with a stored box.
        grids: Masks by grid (width, height), where it is neither the frame's nor the demo tool's.
        confidences: Objects by stored confidence.
        computed_times: Frames whose timestamp was missing and computed from the rate.
    """

    dialects: Counter[str] = field(default_factory=Counter)
    transposed_boxes: int = 0
    demo_masks: int = 0
    grids: Counter[tuple[int, int]] = field(default_factory=Counter)
    confidences: Counter[float] = field(default_factory=Counter)
    computed_times: int = 0


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
        return Frame(
            video_id=self._video_id,
            frame_index=index,
            timestamp_sec=self._timestamp(record, index),
            width=size[0],
            height=size[1],
            objects=self._objects(record, size),
            image_name=picture,
            read_image=None if picture is None else functools.partial(self._archive.read, picture),
        )

    def _timestamp(self, record: JsonObject, index: int) -> float:
        told = record.optional_number("timestamp_sec")
        if told is not None:
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
        decoded = self._mask(item, size)
        self._count(decoded, stored_box, confidence, size)
        grid = decoded.width, decoded.height
        return ObjectAnnotation(
            object_id=object_id,
            label=label,
            mask=decoded.mask,
            bbox=None if decoded.box is None else scale_box(decoded.box, grid, size),
            area=decoded.area * (size[0] * size[1]) / (grid[0] * grid[1]),
            confidence=confidence,
            stored_bbox=stored_box,
            stored_area=item.optional_number("area"),
        )

    def _mask(self, item: JsonObject, size: tuple[int, int]) -> DecodedMask:
        key, value = _mask_of(item)
        try:
            decoded = self._masks.read(value, self._video or size)
        except DataError as error:
            item.fail(key, error.message, expected=error.expected, found=error.found)
        if decoded.height != decoded.width and (decoded.height, decoded.width) == size:
            item.fail(
                f"{key}.size",
                "has width and height in each other's place",
                expected=f"[height, width] = [{size[1]}, {size[0]}]",
                found=[decoded.height, decoded.width],
            )
        return decoded

    def _count(self, decoded: DecodedMask, stored: Box | None, confidence: float | None, size: tuple[int, int]) -> None:
        tally = self.tally
        tally.dialects[decoded.dialect] += 1
        if confidence is not None:
            tally.confidences[confidence] += 1
        if decoded.dialect == SAM2_DEMO:
            if decoded.box is not None and stored is not None:
                x, y, w, h = decoded.box
                tally.demo_masks += 1
                tally.transposed_boxes += stored == (y, x, h, w)
        elif (decoded.width, decoded.height) != size:
            tally.grids[decoded.width, decoded.height] += 1


def _mask_of(item: JsonObject) -> tuple[str, Any]:
    key = next((key for key in MASK_FIELDS if key in item), None)
    if key is None:
        item.fail(MASK_FIELDS[0], "is missing", expected="a mask", found="nothing")
    return key, item.values[key]
