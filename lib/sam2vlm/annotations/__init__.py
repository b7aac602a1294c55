"""Masks, boxes and frames in one validated form."""

from sam2vlm.annotations.boxes import in_reading_order, scale_box
from sam2vlm.annotations.frame_store import FrameStore, FrameView
from sam2vlm.annotations.tracks import Track, VisibleInterval, tracks_of
from sam2vlm.annotations.types import Box, Frame, Mask, ObjectAnnotation, VideoMetadata

__all__ = [
    "Box",
    "Frame",
    "FrameStore",
    "FrameView",
    "Mask",
    "ObjectAnnotation",
    "Track",
    "VideoMetadata",
    "VisibleInterval",
    "in_reading_order",
    "scale_box",
    "tracks_of",
]
