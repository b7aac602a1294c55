"""Decoded masks to objects of a frame, and what was seen meanwhile, for the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.annotations import ObjectAnnotation, scale_box
from sam2vlm.data_converter.dialects import LOGITS_COLUMN_MAJOR, SAM2_DEMO
from sam2vlm.data_converter.label_tidying import tidied_label

if TYPE_CHECKING:
    from sam2vlm.annotations import Box
    from sam2vlm.data_converter.dialects import DecodedMask

__all__ = ["MaskTally"]

_ON_LOGITS = (SAM2_DEMO, LOGITS_COLUMN_MAJOR)


@dataclass(slots=True)
class MaskTally:
    """Makes objects and counts.

    Attributes:
        dialects: Masks by dialect.
        transposed_boxes: Visible demo masks whose stored box is the transposed box of the mask.
        demo_masks: Visible demo masks with a stored box.
        grids: Masks by grid (width, height), where it is neither the frame's nor that of SAM 2's logits.
        confidences: Objects by stored confidence.
        computed_times: Frames whose timestamp was missing and computed from the rate.
        falling_times: Frames whose timestamp is not after that of the frame before.
        tidied_labels: What was read for a label that could not stand in a text, by the label.
    """

    dialects: Counter[str] = field(default_factory=Counter)
    transposed_boxes: int = 0
    demo_masks: int = 0
    grids: Counter[tuple[int, int]] = field(default_factory=Counter)
    confidences: Counter[float] = field(default_factory=Counter)
    computed_times: int = 0
    falling_times: int = 0
    tidied_labels: dict[str, str] = field(default_factory=dict)

    def annotated(
        self,
        decoded: DecodedMask,
        size: tuple[int, int],
        *,
        object_id: int,
        label: str,
        confidence: float | None = None,
        stored_bbox: Box | None = None,
        stored_area: float | None = None,
    ) -> ObjectAnnotation:
        """Return the object of a mask; its box and area come from the mask, scaled from the grid to the frame.

        Args:
            decoded: The mask on its own grid.
            size: Width and height of the frame in pixels.
            object_id: See :class:`sam2vlm.annotations.ObjectAnnotation`, as the rest.
            label: Its class name.
            confidence: As written.
            stored_bbox: ``(x, y, w, h)`` as written.
            stored_area: As written.
        """
        self._count(decoded, size, stored_bbox, confidence)
        grid = decoded.width, decoded.height
        return ObjectAnnotation(
            object_id=object_id,
            label=self._tidied(label),
            mask=decoded.mask,
            bbox=None if decoded.box is None else scale_box(decoded.box, grid, size),
            area=decoded.area * (size[0] * size[1]) / (grid[0] * grid[1]),
            confidence=confidence,
            stored_bbox=stored_bbox,
            stored_area=stored_area,
        )

    def _tidied(self, label: str) -> str:
        tidied = tidied_label(label)
        if tidied != label:
            self.tidied_labels[label] = tidied
        return tidied

    def _count(self, decoded: DecodedMask, size: tuple[int, int], stored: Box | None, confidence: float | None) -> None:
        self.dialects[decoded.dialect] += 1
        if confidence is not None:
            self.confidences[confidence] += 1
        if decoded.dialect == SAM2_DEMO and decoded.box is not None and stored is not None:
            x, y, w, h = decoded.box
            self.demo_masks += 1
            self.transposed_boxes += stored == (y, x, h, w)
        if decoded.dialect not in _ON_LOGITS and (decoded.width, decoded.height) != size:
            self.grids[decoded.width, decoded.height] += 1
