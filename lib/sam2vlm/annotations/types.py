"""The one validated form that every dialect is decoded into.

Coordinates are pixels of the frame with the origin in the top left corner, x to the right and y down. A box
is ``(x, y, w, h)``; the pixel in column c and row r covers ``[c, c+1) x [r, r+1)``, as pycocotools has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Box", "Frame", "Mask", "ObjectAnnotation", "VideoMetadata"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mask:
    """A binary mask as COCO compressed RLE (column-major), on its own grid.

    The grid may be coarser than the frame (the demo tool stores 256 x 256 logits for every video); boxes and
    areas in :class:`ObjectAnnotation` are already scaled to the frame.

    Attributes:
        height: Rows of the grid.
        width: Columns of the grid.
        counts: COCO's compressed string.
    """

    height: int
    width: int
    counts: str

    def coco(self) -> dict[str, Any]:
        """Return ``{"size": [height, width], "counts": str}`` as pycocotools and datasets take it."""
        return {"size": [self.height, self.width], "counts": self.counts}


@dataclass(frozen=True, slots=True)
class ObjectAnnotation:
    """One object in one frame.

    Attributes:
        object_id: Its identity along the video (the masklet).
        label: Its class name; empty where the export has none.
        mask: Its mask; None where the object is not visible in this frame.
        bbox: ``(x, y, w, h)`` in frame pixels, from the mask; None where not visible.
        area: In frame pixels, from the mask (grid area times the grid's scale); 0 where not visible.
        confidence: What the exporter wrote; the demo tool writes the constant 0.95, so never filter on it.
        stored_bbox: The file's own box as written, for the validation rules; never used as a target.
        stored_area: The file's own area as written.
    """

    object_id: int
    label: str
    mask: Mask | None
    bbox: Box | None
    area: float
    confidence: float | None = None
    stored_bbox: Box | None = None
    stored_area: float | None = None

    @property
    def visible(self) -> bool:
        """Whether the object has at least one mask pixel in this frame."""
        return self.mask is not None


@dataclass(frozen=True, slots=True)
class Frame:
    """One annotated frame.

    Attributes:
        video_id: Identity of the video across exports (content digest of the export, or the file's own id).
        frame_index: Index in the source video.
        timestamp_sec: Seconds from the video's start.
        width: Pixels.
        height: Pixels.
        objects: In the export's order.
        image_name: The picture's entry in the archive or path in the folder, for messages; None where absent.
        read_image: Returns the picture's encoded bytes (PNG or JPEG) as they are stored; None where absent.
    """

    video_id: str
    frame_index: int
    timestamp_sec: float
    width: int
    height: int
    objects: tuple[ObjectAnnotation, ...]
    image_name: str | None = None
    read_image: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def sample_id(self) -> str:
        """``<video_id>/<frame index, six digits>``: unique across exports."""
        return f"{self.video_id}/{self.frame_index:06d}"

    @property
    def visible_objects(self) -> tuple[ObjectAnnotation, ...]:
        """The objects that can be seen in this frame."""
        return tuple(item for item in self.objects if item.visible)


@dataclass(frozen=True, slots=True)
class VideoMetadata:
    """What the export says about its video and about itself.

    Attributes:
        video_id: See :class:`Frame`.
        filename: The source video's name, where told.
        width: Pixels.
        height: Pixels.
        source_fps: Frames a second as told (the demo tool writes the constant 30).
        total_frames: Of the source video, where told.
        duration_sec: Where told.
        dialect: The dialect the masks were read with, for example ``sam2-demo-1.0.0``.
        evidence: Why that dialect.
        frame_indices: The indices that the exporter says it exported.
        notes: What the reader mended or noticed, as sentences for the report.
    """

    video_id: str
    filename: str | None
    width: int
    height: int
    source_fps: float | None
    total_frames: int | None
    duration_sec: float | None
    dialect: str
    evidence: str
    frame_indices: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
