"""The right answer to each task that needs nothing but the visible objects, and how places are filled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import in_reading_order
from sam2vlm.data_converter.instructions.conventions import LlavaBoxes, Outline
from sam2vlm.data_converter.instructions.conventions.labels import check_label
from sam2vlm.data_converter.instructions.seen_objects import as_seen
from sam2vlm.data_converter.instructions.slots import escaped, rendered
from sam2vlm.data_converter.instructions.templates import package_templates
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.data_converter.instructions.instruction import Instruction
    from sam2vlm.data_converter.instructions.seen_objects import Seen, SeenObject

__all__ = [
    "FRAME_TASKS",
    "GENERAL",
    "PLAIN_TASKS",
    "TASKS",
    "VIDEO_TASKS",
    "answer_text",
    "listed",
    "plain_answer",
    "written",
]

#: Asked about any frame, with or without objects.
PLAIN_TASKS = ("detect", "count", "describe")
#: Asked about one frame; the eight families of pictures.
FRAME_TASKS = (*PLAIN_TASKS, "locate", "refer", "name", "polygon", "absent")
#: Asked about the frames of a video together: no single picture holds their answer.
VIDEO_TASKS = ("first_last", "intervals", "track")
#: All that an instruction mix may weigh.
TASKS = (*FRAME_TASKS, *VIDEO_TASKS)
#: Data from elsewhere, mixed in.
GENERAL = "general"


def answer_text(
    task: str,
    objects: Iterable[Seen],
    width: int,
    height: int,
    decimals: int = 2,
    *,
    boxes: BoxConvention | None = None,
) -> str:
    """Return the English answer to one of :data:`PLAIN_TASKS`.

    Args:
        task: One of :data:`PLAIN_TASKS`.
        objects: Parsed annotations or the dataset's rows, in any order; the answer has reading order.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        decimals: Of LLaVA's coordinates.
        boxes: Another family's convention in place of LLaVA's.

    Raises:
        SettingsError: There is no such task.
        DataError: A label or box cannot be written.
    """
    seen = _reading_order(objects)
    answer = plain_answer(task, [item.label for item in seen], package_templates().phrases["en"])
    return rendered(answer, lambda _place: (boxes or LlavaBoxes(decimals)).format_objects(seen, width, height))


def plain_answer(task: str, labels: Sequence[str], phrases: Mapping[str, str]) -> str:
    """Return the answer to one of :data:`PLAIN_TASKS`, with places.

    Args:
        task: One of :data:`PLAIN_TASKS`.
        labels: Of the visible objects.
        phrases: Of the language.

    Raises:
        SettingsError: There is no such task.
    """
    if task == "detect":
        return "{objects}"
    if task == "count":
        return str(len(labels))
    if task == "describe":
        return escaped(_description(labels, phrases))
    raise SettingsError("no such task", field="tasks", expected=" or ".join(PLAIN_TASKS), found=task)


def written(
    instruction: Instruction, objects: Iterable[Seen], width: int, height: int, boxes: BoxConvention
) -> tuple[str, str]:
    """Return an instruction's question and answer in the words of a family of models.

    Args:
        instruction: Neutral.
        objects: The frame's, parsed annotations or the dataset's rows, in any order.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        boxes: The family's convention.

    Raises:
        DataError: The instruction names an object or a place that is not there, or a label cannot be written.
        SettingsError: Its task is unknown and it brings no answer.
    """
    objects = list(objects)
    if instruction.answer is None:
        return instruction.prompt, answer_text(instruction.task, objects, width, height, boxes=boxes)

    def place(name: str) -> str:
        if name == "objects":
            return boxes.format_objects(_reading_order(objects), width, height)
        if name == "object":
            return boxes.format_objects([_meant(instruction, objects)], width, height)
        if name == "region" and instruction.region is not None:
            return boxes.format_region(instruction.region, width, height)
        if name == "outline" and instruction.outline is not None:
            flat = instruction.outline
            points = tuple(zip(flat[0::2], flat[1::2], strict=True))
            return boxes.format_outline(Outline(_meant(instruction, objects).label, points), width, height)
        raise DataError("has a place that nothing fills", field=f"instructions.{instruction.task}", found=f"{{{name}}}")

    return rendered(instruction.prompt, place), rendered(instruction.answer, place)


def listed(parts: Sequence[str], phrases: Mapping[str, str]) -> str:
    """Return ``a, b and c`` in the language of the phrases."""
    *first, last = parts
    return phrases["and"].join([phrases["comma"].join(first), last]) if first else last


def _description(labels: Sequence[str], phrases: Mapping[str, str]) -> str:
    if not labels:
        return phrases["nothing"]
    counts = Counter(check_label(label) or phrases["object"] for label in labels)
    # The most frequent first, then by name: the pre-trained model knows this order.
    parts = [
        _said(phrases["item"], count=str(count), label=label)
        for label, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    name = "one" if len(labels) == 1 else "many"
    return _said(phrases[name], count=str(len(labels)), listing=listed(parts, phrases))


def _said(phrase: str, **values: str) -> str:
    return rendered(phrase, values.__getitem__)


def _reading_order(objects: Iterable[Seen]) -> list[SeenObject]:
    return in_reading_order(as_seen(objects), lambda item: (item.bbox, item.label))


def _meant(instruction: Instruction, objects: Sequence[Any]) -> SeenObject:
    for item in objects:
        own = item["object_id"] if isinstance(item, dict) else item.object_id
        found = as_seen([item])
        if own == instruction.object_id and found:
            return found[0]
    raise DataError(
        "names an object that is not visible in its frame",
        field=f"instructions.{instruction.task}.object_id",
        expected="one of the frame's objects",
        found=instruction.object_id,
    )
