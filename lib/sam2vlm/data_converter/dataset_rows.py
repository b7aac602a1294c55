"""The dataset's schema, and one frame as a row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import in_reading_order
from sam2vlm.data_converter.pictures import picture_extension
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import datasets

    from sam2vlm.annotations import Box, Frame, Mask, ObjectAnnotation
    from sam2vlm.data_converter.instructions import Instruction

__all__ = ["dataset_features", "dataset_row", "read_picture"]


def dataset_features() -> datasets.Features:
    """Return the columns and types of ``RUN/prepare/dataset``; ``docs/architecture.md`` says what they mean."""
    from datasets import Features, Image, List, Value

    segmentation = {"size": List(Value("int32")), "counts": Value("string")}
    return Features(
        {
            "sample_id": Value("string"),
            "video_id": Value("string"),
            "frame_index": Value("int64"),
            "timestamp_sec": Value("float64"),
            "image": Image(),
            "width": Value("int32"),
            "height": Value("int32"),
            "objects": List(
                {
                    "object_id": Value("int64"),
                    "label": Value("string"),
                    "bbox": List(Value("float64")),
                    "area": Value("float64"),
                    "segmentation": segmentation,
                    "confidence": Value("float64"),
                }
            ),
            "instructions": List({"task": Value("string"), "prompt": Value("string"), "language": Value("string")}),
        }
    )


def dataset_row(frame: Frame, picture: bytes, instructions: Sequence[Instruction]) -> dict[str, Any]:
    """Return one frame as a row: visible objects in reading order, the picture's own bytes."""
    seen = [(item, item.bbox, item.mask) for item in frame.objects if item.bbox is not None and item.mask is not None]
    return {
        "sample_id": frame.sample_id,
        "video_id": frame.video_id,
        "frame_index": frame.frame_index,
        "timestamp_sec": frame.timestamp_sec,
        "image": {"bytes": picture, "path": None},
        "width": frame.width,
        "height": frame.height,
        "objects": [_object_row(*found) for found in in_reading_order(seen, lambda found: (found[1], found[0].label))],
        "instructions": [
            {"task": item.task, "prompt": item.prompt, "language": item.language} for item in instructions
        ],
    }


def read_picture(frame: Frame) -> bytes:
    """Return the frame's picture as it is stored.

    Raises:
        DataError: There is none, it is damaged, or it is neither PNG nor JPEG.
    """
    if frame.read_image is None:
        raise DataError("has no picture", source=frame.sample_id, expected="a picture to convert", found="none")
    content = frame.read_image()
    if picture_extension(content) is None:
        raise DataError("is no picture", source=frame.image_name or frame.sample_id, expected="a PNG or JPEG")
    return content


def _object_row(item: ObjectAnnotation, box: Box, mask: Mask) -> dict[str, Any]:
    return {
        "object_id": item.object_id,
        "label": item.label,
        "bbox": list(box),
        "area": item.area,
        "segmentation": mask.coco(),
        "confidence": item.confidence,
    }
