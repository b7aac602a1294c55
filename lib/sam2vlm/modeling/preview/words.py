"""What reading an answer back has shown, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam2vlm.modeling.preview.samples import Turn

__all__ = ["SUSPICIOUS_IOU", "read_back"]

#: Two decimals of a padded 640-pixel square are 6 pixels: a box of 60 then agrees to about 0.8, a small one to less.
SUSPICIOUS_IOU = 0.5


def read_back(turn: Turn) -> tuple[str, bool]:
    """Return a sentence about the coordinates of an answer, empty where it has none, and whether something is wrong."""
    if turn.problems:
        return f"Cannot be read back: {'; '.join(turn.problems)}.", True
    parts = []
    if turn.lowest_iou is not None:
        boxes = sum(found.label != "?" for found in turn.boxes)
        parts.append(f"{boxes} {'box' if boxes == 1 else 'boxes'} read back, lowest IoU {turn.lowest_iou:.2f}")
    if turn.outlines:
        points = sum(len(outline.points) for outline in turn.outlines)
        parts.append(f"an outline of {points} points read back")
    if not parts and turn.holds_boxes:
        parts.append("no box, as it says")
    wrong = turn.lowest_iou is not None and turn.lowest_iou < SUSPICIOUS_IOU
    return (f"{'; '.join(parts)}." if parts else ""), wrong
