"""The dataset's schema, and one frame as a row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import in_reading_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import datasets

    from sam2vlm.annotations import Box, Mask, ObjectAnnotation
    from sam2vlm.data_converter.output_writer import Sample

__all__ = ["dataset_features", "dataset_row"]


def dataset_features(labels: Sequence[str] = ()) -> datasets.Features:
    """Return the columns and types of ``RUN/prepare/dataset``; ``docs/dataset.md`` says what they mean.

    Args:
        labels: The names of ``label_id``, in its order. Without any, as for a dataset that shows no named object, it
            is a plain number.
    """
    from datasets import ClassLabel, Features, Image, List, Value

    segmentation = {"size": List(Value("int32")), "counts": Value("string")}
    return Features(
        {
            "sample_id": Value("string"),
            "split": Value("string"),
            "video_id": Value("string"),
            "frame_index": Value("int64"),
            "timestamp_sec": Value("float64"),
            "image": Image(),
            "width": Value("int32"),
            "height": Value("int32"),
            "objects": List(
                {
                    "object_id": Value("int64"),
                    "track_id": Value("string"),
                    "label": Value("string"),
                    "label_id": ClassLabel(names=list(labels)) if labels else Value("int64"),
                    "bbox": List(Value("float64")),
                    "area": Value("float64"),
                    "segmentation": segmentation,
                    "confidence": Value("float64"),
                }
            ),
            # See sam2vlm.data_converter.instructions.instruction: the first three are always there.
            "instructions": List(
                {
                    "task": Value("string"),
                    "prompt": Value("string"),
                    "language": Value("string"),
                    "answer": Value("string"),
                    "label": Value("string"),
                    "object_id": Value("int64"),
                    "region": List(Value("float64")),
                    "outline": List(Value("float64")),
                }
            ),
        }
    )


def dataset_row(sample: Sample, split: str, labels: Mapping[str, int]) -> dict[str, Any]:
    """Return one frame as a row: visible objects in reading order, the picture's own bytes.

    Args:
        sample: The frame with its picture and instructions.
        split: Its split.
        labels: The number of each label; a label that has none, as the empty one, is None.
    """
    frame = sample.frame
    seen = [(item, item.bbox, item.mask) for item in frame.objects if item.bbox is not None and item.mask is not None]
    return {
        "sample_id": frame.sample_id,
        "split": split,
        "video_id": frame.video_id,
        "frame_index": frame.frame_index,
        "timestamp_sec": frame.timestamp_sec,
        "image": {"bytes": sample.picture, "path": None},
        "width": frame.width,
        "height": frame.height,
        "objects": [
            {
                **_object_row(*found),
                "track_id": f"{frame.video_id}/{found[0].object_id}",
                "label_id": labels.get(found[0].label),
            }
            for found in in_reading_order(seen, lambda found: (found[1], found[0].label))
        ],
        "instructions": [item.row() for item in sample.instructions],
    }


def _object_row(item: ObjectAnnotation, box: Box, mask: Mask) -> dict[str, Any]:
    return {
        "object_id": item.object_id,
        "label": item.label,
        "bbox": list(box),
        "area": item.area,
        "segmentation": mask.coco(),
        "confidence": item.confidence,
    }
