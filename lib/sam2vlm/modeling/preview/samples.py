"""Some frames of a split with all that is asked about them, and the boxes read back from the very texts."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import Mask
from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.errors import DataError
from sam2vlm.modeling.pictures import read_picture
from sam2vlm.modeling.targets import targets_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from datasets import Dataset
    from PIL import Image

    from sam2vlm.annotations import Box
    from sam2vlm.data_converter.instructions import BoxConvention
    from sam2vlm.data_converter.instructions.conventions import Outline
    from sam2vlm.modeling.targets import Target

__all__ = ["PreviewObject", "PreviewSample", "Turn", "choose_samples"]

#: Places of an answer that hold coordinates; see :class:`sam2vlm.data_converter.instructions.Instruction`.
BOX_PLACES = ("{objects}", "{object}")
OUTLINE_PLACE = "{outline}"


@dataclass(frozen=True, slots=True)
class PreviewObject:
    """An object as the dataset has it: its label, its box ``(x, y, w, h)`` in frame pixels and its mask."""

    label: str
    bbox: Box
    mask: Mask


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer, as the family gets them.

    Attributes:
        task: Which kind of question.
        prompt: The question.
        answer: The answer that is learnt.
        holds_boxes: Whether the answer is meant to hold boxes or an outline.
        boxes: Read back from the answer, and from the question where that names a place; in frame pixels.
        outlines: Read back from the answer.
        lowest_iou: The lowest IoU of a box that was read back with the dataset's nearest one of its label; None
            where no box was read.
        problems: What could not be read back.
    """

    task: str
    prompt: str
    answer: str
    holds_boxes: bool
    boxes: tuple[SeenObject, ...]
    outlines: tuple[Outline, ...]
    lowest_iou: float | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreviewSample:
    """One frame.

    Attributes:
        sample_id: Its name.
        image: RGB, in the size that the boxes refer to.
        objects: As the dataset has them.
        turns: What is asked.
    """

    sample_id: str
    image: Image.Image
    objects: tuple[PreviewObject, ...]
    turns: tuple[Turn, ...]


def choose_samples(split: Dataset, *, count: int, seed: int, boxes: BoxConvention) -> list[PreviewSample]:
    """Choose frames and read everything about them.

    Args:
        split: Rows of ``RUN/prepare/dataset``.
        count: How many frames at most.
        seed: Equal seeds choose equal rows of equally long splits.
        boxes: How the family of models writes boxes.

    Returns:
        In the split's order.

    Raises:
        DataError: A picture, a box or an instruction is not what the prepare phase wrote.
    """
    chosen = sorted(heapq.nsmallest(count, range(len(split)), key=lambda row: _place(seed, row)))
    rows = split.select(chosen)
    targets: dict[int, list[Target]] = {}
    for target in targets_of(rows, boxes=boxes):
        targets.setdefault(target.row, []).append(target)
    return [_sample(rows, row, targets.get(row, []), boxes) for row in range(len(chosen))]


def _place(seed: int, row: int) -> bytes:
    """Return the row's place in the order that a seed stands for, on any machine and Python."""
    return hashlib.sha256(f"{seed}/{row}".encode()).digest()


def _sample(rows: Dataset, row: int, targets: Sequence[Target], boxes: BoxConvention) -> PreviewSample:
    values = rows.remove_columns("image")[row]
    objects = tuple(_object(item, values["sample_id"]) for item in values["objects"])
    return PreviewSample(
        sample_id=values["sample_id"],
        image=read_picture(rows, row, sample_id=values["sample_id"], width=values["width"], height=values["height"]),
        objects=objects,
        turns=tuple(
            _turn(raw, target, objects, boxes) for raw, target in zip(values["instructions"], targets, strict=True)
        ),
    )


def _object(item: Mapping[str, Any], sample_id: str) -> PreviewObject:
    stored = item["segmentation"]
    try:
        x, y, w, h = map(float, item["bbox"])
        height, width = stored["size"]
    except (TypeError, ValueError):
        raise DataError("is no object of a prepared dataset", source=sample_id, found=item) from None
    return PreviewObject(item["label"], (x, y, w, h), Mask(height, width, stored["counts"]))


def _turn(raw: Mapping[str, Any], target: Target, objects: Sequence[PreviewObject], boxes: BoxConvention) -> Turn:
    size = target.width, target.height
    template = raw.get("answer") or ("{objects}" if target.task == "detect" else "")
    problems: list[str] = []
    found: list[SeenObject] = []
    outlines: tuple[Outline, ...] = ()
    if any(place in template for place in BOX_PLACES):
        read = boxes.parse_objects(target.answer, *size)
        found += read.objects
        problems += read.problems
    if OUTLINE_PLACE in template:
        shapes = boxes.parse_outlines(target.answer, *size)
        outlines = shapes.outlines
        problems += shapes.problems
    answered = list(found)
    region = raw.get("region")
    if region is not None:
        asked = _asked_region(target, region, boxes)
        if asked is None:
            problems.append("the place that the question names cannot be read back")
        else:
            found.append(SeenObject("?", asked))
    return Turn(
        task=target.task,
        prompt=target.prompt,
        answer=target.answer,
        holds_boxes=any(place in template for place in (*BOX_PLACES, OUTLINE_PLACE)),
        boxes=tuple(found),
        outlines=outlines,
        lowest_iou=_lowest_iou(answered, objects),
        problems=tuple(problems),
    )


def _asked_region(target: Target, region: Sequence[float], boxes: BoxConvention) -> Box | None:
    """Read the place that a question names back from its text, which stands somewhere in the question."""
    x, y, w, h = region
    text = boxes.format_region((x, y, w, h), target.width, target.height)
    return boxes.parse_region(text, target.width, target.height) if text in target.prompt else None


def _lowest_iou(found: Iterable[SeenObject], objects: Sequence[PreviewObject]) -> float | None:
    import numpy as np
    import pycocotools.mask

    worst = None
    for item in found:
        there = np.array([other.bbox for other in objects if other.label == item.label], float).reshape(-1, 4)
        ious = pycocotools.mask.iou(np.array([item.bbox], float), there, np.zeros(len(there), np.uint8))
        best = float(np.max(ious)) if len(there) else 0.0
        worst = best if worst is None else min(worst, best)
    return worst
