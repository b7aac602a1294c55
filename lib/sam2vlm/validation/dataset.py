"""What the rules look at: frames as the parser gives them, or plain dictionaries of the export's form."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.boxes import scale_box
from sam2vlm.annotations.coco_rle import counts_from_runs, read_size, runs_from_counts
from sam2vlm.annotations.runs import runs_area, runs_box, runs_from_list
from sam2vlm.annotations.types import Box, Frame, Mask, ObjectAnnotation, VideoMetadata
from sam2vlm.errors import DataError
from sam2vlm.validation.scans import Scans

if TYPE_CHECKING:
    from sam2vlm.annotations.runs import Runs
    from sam2vlm.validation.object_table import ObjectTable
    from sam2vlm.validation.picture_scan import PictureScan

__all__ = ["CheckedDataset"]


# Beyond it an index is no number of a frame or object but damage, and columns of 64 bits do not hold it.
LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class CheckedDataset:
    """Frames and metadata in the one form that the rules know.

    Attributes:
        frames: In the order given; perhaps on the disk, so take them one by one.
        metadata: What the export says about itself, or several have in common; None where not told.
        videos: What each video's export says about it, by video id.
        dropped: Indices of annotated frames that the reader left out, by reason.
        scans: What the rules share.
    """

    frames: Sequence[Frame]
    metadata: VideoMetadata | None
    videos: Mapping[str, VideoMetadata]
    dropped: Mapping[str, Sequence[int]]
    scans: Scans

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> CheckedDataset:
        """Read ``{"frames": ..., "metadata": ...}``.

        Args:
            dataset: ``frames`` are :class:`Frame` objects, or dictionaries ``{"frame_index", "timestamp_sec",
                "objects": [{"object_id", "label", "bbox": [x, y, w, h], "mask_rle": {"size", "counts"}, "area",
                "confidence"}]}`` with boxes in frame pixels, each video's by ascending index; anything but a list
                or tuple holds :class:`Frame` objects and is left where it is. ``metadata`` is a
                :class:`VideoMetadata`, a dictionary with ``width`` and ``height`` (or with a ``video`` that has
                them), or missing. Where there: ``videos``, the :class:`VideoMetadata` of each video of several;
                ``dropped``, the parser's account of what it left out; ``scans``, of these very frames.

        Raises:
            DataError: A frame, object or mask has another shape; the field is named.
        """
        if not isinstance(dataset, Mapping) or "frames" not in dataset:
            raise DataError("wrong shape", source="dataset", expected='{"frames": ..., "metadata": ...}')
        metadata = dataset.get("metadata")
        frames = _frames(dataset["frames"], _size_of(metadata))
        told = metadata if isinstance(metadata, VideoMetadata) else None
        videos = dataset.get("videos") or ([told] if told else [])
        return cls(
            frames=frames,
            metadata=told,
            videos={video.video_id: video for video in videos},
            dropped=dataset.get("dropped") or {},
            scans=dataset.get("scans") or Scans(frames),
        )

    def as_mapping(self) -> dict[str, Any]:
        """Return it in the form in which rules take it."""
        return {
            "frames": self.frames,
            "metadata": self.metadata,
            "videos": tuple(self.videos.values()),
            "dropped": self.dropped,
            "scans": self.scans,
        }

    @property
    def table(self) -> ObjectTable:
        """Every frame and object as columns."""
        return self.scans.table

    @property
    def pictures(self) -> PictureScan:
        """What is known of every frame's picture."""
        return self.scans.pictures

    def left_out(self) -> dict[str, Sequence[int]]:
        """Return the indices of frames that were left out because they show nothing, by video.

        The reader's account names no video, so of several videos nothing is known.
        """
        indices = tuple(index for indices in self.dropped.values() for index in indices)
        return dict.fromkeys(self.videos, indices) if len(self.videos) == 1 else {}


def _frames(frames: Any, size: tuple[int, int] | None) -> Sequence[Frame]:
    if isinstance(frames, Sequence) and not isinstance(frames, list | tuple):
        return frames
    return tuple(
        frame if isinstance(frame, Frame) else _frame(frame, f"frames[{number}]", size)
        for number, frame in enumerate(frames)
    )


def _size_of(metadata: Any) -> tuple[int, int] | None:
    if isinstance(metadata, VideoMetadata):
        return metadata.width, metadata.height
    if not isinstance(metadata, Mapping):
        return None
    video = metadata.get("video", metadata)
    try:
        return int(video["width"]), int(video["height"])
    except (KeyError, TypeError, ValueError):
        return None


def _frame(value: Any, field: str, size: tuple[int, int] | None) -> Frame:
    if not isinstance(value, Mapping) or not isinstance(value.get("objects"), Sequence):
        raise DataError(
            "wrong shape", source="dataset", field=field, expected='{"frame_index": ..., "objects": [...]}', found=value
        )
    masks = [_mask(item, f"{field}.objects[{number}]") for number, item in enumerate(value["objects"])]
    width, height = size or _size_from(masks, field)
    objects = tuple(
        _object(item, mask, (width, height), f"{field}.objects[{number}]")
        for number, (item, mask) in enumerate(zip(value["objects"], masks, strict=True))
    )
    return Frame(
        video_id=str(value.get("video_id", "video")),
        frame_index=int(_number(value, "frame_index", field)),
        timestamp_sec=_number(value, "timestamp_sec", field, default=0.0),
        width=width,
        height=height,
        objects=objects,
    )


def _size_from(masks: Sequence[Mask | None], field: str) -> tuple[int, int]:
    for mask in masks:
        if mask is not None:
            return mask.width, mask.height
    raise DataError(
        "the frame's size is not told", source="dataset", field=field, expected="metadata with width and height"
    )


def _mask(item: Any, field: str) -> Mask | None:
    """Return the object's mask; None where it has none or an empty one (not visible)."""
    if not isinstance(item, Mapping):
        raise DataError("wrong shape", source="dataset", field=field, expected="an object", found=item)
    stored = item.get("mask_rle", item.get("segmentation"))
    if stored is None:
        return None
    field = f"{field}.mask_rle"
    if not isinstance(stored, Mapping) or not {"size", "counts"} <= set(stored):
        # The order of bare runs depends on the dialect, which only the parser works out.
        raise DataError(
            "is no COCO mask; read the export with SAM2Parser",
            source="dataset",
            field=field,
            expected='{"size": [h, w], "counts": ...}',
            found=stored,
        )
    try:
        height, width = read_size(stored["size"])
        runs = _runs(stored["counts"])
    except DataError as error:
        raise error.with_source("dataset", field=field) from None
    # Whether the runs fill the grid is mask_integrity_check's question.
    return Mask(height, width, counts_from_runs(runs, height, width)) if runs_area(runs) else None


def _runs(counts: Any) -> Runs:
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", errors="replace")
    return runs_from_counts(counts) if isinstance(counts, str) else runs_from_list(counts)


def _object(item: Mapping[str, Any], mask: Mask | None, frame_size: tuple[int, int], field: str) -> ObjectAnnotation:
    stored_area = item.get("area")
    bbox, area = (None, 0.0) if mask is None else _measured(mask, frame_size)
    return ObjectAnnotation(
        object_id=int(_number(item, "object_id", field)),
        label=str(item.get("label") or ""),
        mask=mask,
        bbox=bbox,
        area=area,
        confidence=item.get("confidence"),
        stored_bbox=_box(item["bbox"], f"{field}.bbox") if item.get("bbox") is not None else None,
        stored_area=float(stored_area) if isinstance(stored_area, numbers.Real) else None,
    )


def _measured(mask: Mask, frame_size: tuple[int, int]) -> tuple[Box | None, float]:
    runs = runs_from_counts(mask.counts)
    box = runs_box(runs, mask.height, mask.width, "F")
    scale = frame_size[0] * frame_size[1] / (mask.width * mask.height)
    return None if box is None else scale_box(box, (mask.width, mask.height), frame_size), runs_area(runs) * scale


def _box(value: Any, field: str) -> Box:
    try:
        x, y, w, h = (float(side) for side in value)
    except (TypeError, ValueError):
        raise DataError("wrong shape", source="dataset", field=field, expected="[x, y, w, h]", found=value) from None
    return x, y, w, h


def _number(value: Mapping[str, Any], key: str, field: str, *, default: float | None = None) -> float:
    found = value.get(key, default)
    if isinstance(found, bool) or not isinstance(found, numbers.Real) or not abs(float(found)) <= LARGEST_NUMBER:
        raise DataError("wrong shape", source="dataset", field=f"{field}.{key}", expected="a number", found=found)
    return float(found)
