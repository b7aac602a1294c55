"""Masks, boxes and frames in one validated form."""

from sam2vlm.annotations.boxes import in_reading_order, scale_box
from sam2vlm.annotations.types import Box, Frame, Mask, ObjectAnnotation, VideoMetadata

__all__ = ["Box", "Frame", "Mask", "ObjectAnnotation", "VideoMetadata", "in_reading_order", "scale_box"]
