"""An object's record and the two documents of an export, as each exporter writes them.

``sam2-demo-1.0.0`` is the SAM 2 demo's export tool to the letter: it flattens a mask row by row while its own
decoder reads columns first, so its box is the box of the transposed mask, in cells of the 256 x 256 grid. The last
four dialects have no such documents; :mod:`sam2vlm.sample.layouts` writes theirs from the same records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.errors import SettingsError
from sam2vlm.sample.masks import GRID, box_of, compressed_counts, row_major_counts, runs, upsampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "AUTOMATIC_MASKS",
    "COCO_INSTANCES",
    "DIALECTS",
    "PALETTE_PNG",
    "SA_V",
    "SOURCE_FPS",
    "Dialect",
    "Envelope",
    "annotations_head",
    "checked_dialect",
    "metadata",
    "object_record",
]

#: What the demo tool writes as ``source_fps``, whatever the video's rate is.
SOURCE_FPS = 30.0
SA_V, AUTOMATIC_MASKS, COCO_INSTANCES, PALETTE_PNG = "sa-v", "automatic-masks", "coco-instances", "palette-png"
_CONFIDENCE = 0.95  # also a constant of the tool
_WRITTEN_AT = "2025-01-15T12:00:00Z"  # a clock would make each archive different

_Stored = tuple[Any, tuple[int, int, int, int], int]  # mask_rle, bbox, area


@dataclass(frozen=True)
class Envelope:
    """What the documents say about the video and about the export.

    Attributes:
        filename: The video's.
        width: Pixels.
        height: Pixels.
        total_frames: Of the video.
        duration_sec: Of the video.
        target_fps: Exported frames a second.
        frame_indices: Which frames were exported.
        dialect: One of :data:`DIALECTS`.
    """

    filename: str
    width: int
    height: int
    total_frames: int
    duration_sec: float
    target_fps: float
    frame_indices: tuple[int, ...]
    dialect: str


def _demo(field: NDArray[np.float32] | None, _width: int, _height: int) -> _Stored:
    if field is None:
        return str(GRID * GRID), (0, 0, 0, 0), 0
    mask = field > 0
    return row_major_counts(mask), box_of(np.ascontiguousarray(mask.T)), int(mask.sum())


def _on_frame(field: NDArray[np.float32] | None, width: int, height: int) -> NDArray[np.bool_]:
    if field is None:
        return np.zeros((height, width), dtype=np.bool_)
    return upsampled(field, width, height)


def _compressed(field: NDArray[np.float32] | None, width: int, height: int) -> _Stored:
    mask = _on_frame(field, width, height)
    return {"size": [height, width], "counts": compressed_counts(mask)}, box_of(mask), int(mask.sum())


def _uncompressed(field: NDArray[np.float32] | None, width: int, height: int) -> _Stored:
    mask = _on_frame(field, width, height)
    return {"size": [height, width], "counts": runs(mask.ravel(order="F"))}, box_of(mask), int(mask.sum())


@dataclass(frozen=True)
class Dialect:
    """How an exporter signs and how it stores a mask (None for an absent object).

    Attributes:
        exporter: Its name.
        version: Its version.
        store: Returns ``mask_rle``, ``bbox`` and ``area``.
        has_records: Whether it writes ``annotations.json`` with a record a frame.
        jpeg: Whether its pictures are JPEG files.
    """

    exporter: str
    version: str
    store: Callable[[NDArray[np.float32] | None, int, int], _Stored]
    has_records: bool = True
    jpeg: bool = False


_OURS = "sam2vlm sample", "2.0.0"
DIALECTS: dict[str, Dialect] = {
    "sam2-demo-1.0.0": Dialect("SAM2 Demo Export Tool", "1.0.0", _demo),
    "coco-compressed": Dialect(*_OURS, _compressed),
    "coco-uncompressed": Dialect(*_OURS, _uncompressed),
    SA_V: Dialect(*_OURS, _compressed, has_records=False, jpeg=True),
    AUTOMATIC_MASKS: Dialect(*_OURS, _compressed, has_records=False),
    COCO_INSTANCES: Dialect(*_OURS, _compressed, has_records=False),
    PALETTE_PNG: Dialect(*_OURS, _uncompressed, has_records=False, jpeg=True),
}


def object_record(
    dialect: str, object_id: int, label: str, field: NDArray[np.float32] | None, size: tuple[int, int]
) -> dict[str, Any]:
    """Return one object of one frame.

    Args:
        dialect: One of :data:`DIALECTS`.
        object_id: Its identity.
        label: Its class name.
        field: Its logits (256, 256); None where it cannot be seen: all exporters list every object in every frame.
        size: Of the frame, (width, height).
    """
    mask, box, area = DIALECTS[dialect].store(field, *size)
    return {
        "object_id": object_id,
        "label": label,
        "mask_rle": mask,
        "bbox": list(box),
        "area": area,
        "confidence": _CONFIDENCE,
    }


def annotations_head(envelope: Envelope) -> dict[str, Any]:
    """Return ``annotations.json`` up to its list of frames."""
    return {
        "video": _video(envelope, "source_fps"),
        "export_config": {
            "target_fps": envelope.target_fps,
            "total_exported_frames": len(envelope.frame_indices),
            "frame_indices": list(envelope.frame_indices),
            "export_timestamp": _WRITTEN_AT,
            "exporter_version": DIALECTS[envelope.dialect].version,
        },
    }


def metadata(envelope: Envelope, *, frames: int, objects: int, unique: int) -> dict[str, Any]:
    """Return ``metadata.json``.

    Args:
        envelope: See there.
        frames: Annotated frames.
        objects: Visible objects of all frames together.
        unique: Objects that can be seen at least once.
    """
    return {
        "export_info": {
            "created_at": _WRITTEN_AT,
            "format_version": "1.0",
            "exporter": DIALECTS[envelope.dialect].exporter,
        },
        "video": _video(envelope, "fps"),
        "export_config": {"target_fps": envelope.target_fps, "frame_indices": list(envelope.frame_indices)},
        "statistics": {
            "total_frames": frames,
            "total_objects": objects,
            "unique_objects": unique,
            "objects_per_frame": round(objects / frames, 3) if frames else 0.0,
        },
    }


def _video(envelope: Envelope, rate: str) -> dict[str, Any]:
    return {
        "filename": envelope.filename,
        "width": envelope.width,
        "height": envelope.height,
        rate: SOURCE_FPS,
        "total_frames": envelope.total_frames,
        "duration_sec": round(envelope.duration_sec, 3),
    }


def checked_dialect(name: str) -> str:
    """Return the name.

    Raises:
        SettingsError: There is no such dialect.
    """
    if name not in DIALECTS:
        raise SettingsError("no such dialect", field="dialect", expected=f"one of {', '.join(DIALECTS)}", found=name)
    return name
