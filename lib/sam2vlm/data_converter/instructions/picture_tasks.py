"""What can truly be asked about one frame: an object by its label, by where it lies, a place, an absence.

A question is only asked where its answer is right whatever the annotations leave open: an object that carries no label
may be anything, and a "crab" may be the "hermit crab" of another annotation.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.annotations import in_reading_order
from sam2vlm.data_converter.instructions.conventions.labels import check_label
from sam2vlm.data_converter.instructions.templates import RELATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sam2vlm.annotations import Box, Frame, Mask

__all__ = ["Ask", "Visible", "absent_labels", "located", "may_be", "named_regions", "referred", "visible_objects"]

# Ours: nearer than this share of the frame's side, people do not agree which of two lies farther left.
_CLEARLY_BESIDE = 0.05
# Ours: with less than this ratio of areas, people do not agree which of two is larger.
_CLEARLY_LARGER = 1.25
# Ours: two objects whose boxes overlap so much are both "at" that place.
_SAME_PLACE_IOU = 0.5
# Ours: a smaller place has no extent in a text with two decimals.
_SMALLEST_PLACE = 0.02


@dataclass(frozen=True, slots=True)
class Visible:
    """A visible object.

    Attributes:
        object_id: Its identity along the video.
        label: Its class name; may be empty.
        box: ``(x, y, w, h)`` in frame pixels.
        area: In frame pixels.
        mask: On its own grid.
        known: No other object of the frame has its identity.
    """

    object_id: int
    label: str
    box: Box
    area: float
    mask: Mask
    known: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """What a question is about.

    Attributes:
        key: Unlike that of any other question of the same task about the frame.
        label: The class that it names.
        meant: The object that it means.
        relation: One of ``RELATIONS``, where it is told by its place or size.
    """

    key: str
    label: str | None = None
    meant: Visible | None = None
    relation: str | None = None


def visible_objects(frame: Frame) -> list[Visible]:
    """Return a frame's visible objects in reading order.

    Raises:
        DataError: A label is no Unicode text.
    """
    seen = [(item, item.bbox, item.mask) for item in frame.objects if item.bbox is not None and item.mask is not None]
    ids = Counter(item.object_id for item, _box, _mask in seen)
    return [
        Visible(item.object_id, check_label(item.label), box, item.area, mask, known=ids[item.object_id] == 1)
        for item, box, mask in in_reading_order(seen, lambda found: (found[1], found[0].label))
    ]


def located(seen: Sequence[Visible]) -> Iterator[Ask]:
    """Objects whose label belongs to no other visible object."""
    for item in seen:
        if _nameable(item) and not any(other is not item and may_be(other.label, item.label) for other in seen):
            yield Ask(str(item.object_id), label=item.label, meant=item)


def referred(seen: Sequence[Visible], width: int, height: int) -> Iterator[Ask]:
    """Objects that stand out by place or size, among those of their label or among all.

    ``label`` is None where they stand out among all.
    """
    for label in [None, *dict.fromkeys(item.label for item in seen if item.label.strip())]:
        rivals = [item for item in seen if label is None or may_be(item.label, label)]
        for relation in RELATIONS if len(rivals) > 1 else ():
            first = _first(rivals, relation, width, height)
            if first is not None and first.known and label in (None, first.label):
                yield Ask(f"{relation}/{'' if label is None else 'of ' + label}", label, first, relation)


def named_regions(seen: Sequence[Visible], width: int, height: int) -> Iterator[Ask]:
    """Objects whose box holds nothing else that could be meant by it."""
    smallest = _SMALLEST_PLACE * max(width, height)
    for item in seen:
        others = (other for other in seen if other is not item and other.label != item.label)
        clear = not any(_iou(item.box, other.box) >= _SAME_PLACE_IOU for other in others)
        if _nameable(item) and min(item.box[2:]) >= smallest and clear:
            yield Ask(str(item.object_id), label=item.label, meant=item)


def absent_labels(seen: Sequence[Visible], vocabulary: Iterable[str]) -> Iterator[Ask]:
    """Labels of the vocabulary that no visible object may carry."""
    for label in vocabulary:
        if not any(may_be(item.label, label) for item in seen):
            yield Ask(label, label=label)


def _nameable(item: Visible) -> bool:
    return item.known and bool(item.label.strip())


def may_be(one: str, other: str) -> bool:
    """Whether what carries one label may also be called by the other: the words of one are among the other's."""
    first, second = set(one.casefold().split()), set(other.casefold().split())
    return first <= second or second <= first


def _first(rivals: Sequence[Visible], relation: str, width: int, height: int) -> Visible | None:
    """Return the one that clearly comes first, or None."""
    if relation in ("largest", "smallest"):
        order = sorted(rivals, key=lambda item: item.area, reverse=relation == "largest")
        larger, smaller = (order[0], order[1]) if relation == "largest" else (order[1], order[0])
        return order[0] if larger.area >= _CLEARLY_LARGER * smaller.area else None
    margin = _CLEARLY_BESIDE * (width if relation in ("leftmost", "rightmost") else height)
    edge, middle = _EDGES[relation], _MIDDLES[relation]
    first = min(rivals, key=lambda item: middle(item.box))
    others = [item for item in rivals if item is not first]
    # By its edge and by its middle, so that a large one behind a small one is not disputed.
    if all(place(first.box) + margin <= place(item.box) for item in others for place in (edge, middle)):
        return first
    return None


_EDGES: dict[str, Callable[[Box], float]] = {
    "leftmost": lambda box: box[0],
    "rightmost": lambda box: -box[0] - box[2],
    "topmost": lambda box: box[1],
    "lowest": lambda box: -box[1] - box[3],
}
_MIDDLES: dict[str, Callable[[Box], float]] = {
    "leftmost": lambda box: box[0] + box[2] / 2,
    "rightmost": lambda box: -box[0] - box[2] / 2,
    "topmost": lambda box: box[1] + box[3] / 2,
    "lowest": lambda box: -box[1] - box[3] / 2,
}


def _iou(one: Box, other: Box) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(across, 0.0) * max(down, 0.0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
