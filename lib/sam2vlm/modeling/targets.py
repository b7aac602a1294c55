"""What a model is to answer: the dataset's neutral objects in the words of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.answers import PLAIN_TASKS, written
from sam2vlm.data_converter.instructions.instruction import Instruction
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from datasets import Dataset

    from sam2vlm.data_converter.instructions.conventions import BoxConvention

__all__ = ["Target", "targets_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """One question about one frame and its answer.

    Attributes:
        row: The frame's row in the split.
        sample_id: ``<frame's sample_id>#<task>``, with ``.<n>`` for a task's further wordings.
        task: One of ``sam2vlm.data_converter.instructions.TASKS``, or ``general``.
        prompt: The question, its places in the family's own words.
        answer: In the family's own words and box convention.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
    """

    row: int
    sample_id: str
    task: str
    prompt: str
    answer: str
    width: int
    height: int


def targets_of(split: Dataset, *, boxes: BoxConvention, tasks: Sequence[str] | None = None) -> list[Target]:
    """List the questions of a split with their answers, in the split's order.

    Args:
        split: Rows of ``RUN/prepare/dataset``, of this version or the first; the pictures are not read.
        boxes: How the model's family writes boxes.
        tasks: Only these; None takes all.

    Raises:
        DataError: An instruction cannot be written: it names what is not there, or was made by another version.
    """
    rows = split.remove_columns("image")
    return [target for row, frame in enumerate(rows) for target in _of_frame(row, frame, boxes, tasks)]


def _of_frame(
    row: int, frame: Mapping[str, Any], boxes: BoxConvention, tasks: Sequence[str] | None
) -> Iterator[Target]:
    seen: dict[str, int] = {}
    for raw in frame["instructions"]:
        task = raw["task"]
        number = seen[task] = seen.get(task, 0) + 1
        if tasks is not None and task not in tasks:
            continue
        prompt, answer = _texts(raw, frame, boxes)
        yield Target(
            row=row,
            sample_id=f"{frame['sample_id']}#{task}" + (f".{number}" if number > 1 else ""),
            task=task,
            prompt=prompt,
            answer=answer,
            width=frame["width"],
            height=frame["height"],
        )


def _texts(raw: Mapping[str, Any], frame: Mapping[str, Any], boxes: BoxConvention) -> tuple[str, str]:
    try:
        instruction = Instruction.from_row(raw)
        return written(instruction, frame["objects"], frame["width"], frame["height"], boxes)
    except SettingsError:
        raise DataError(
            "its dataset was written by another version of sam2vlm; prepare the export again",
            source=frame["sample_id"],
            field="instructions.task",
            expected=f"an answer, or one of {', '.join(PLAIN_TASKS)}",
            found=raw["task"],
        ) from None
    except DataError as error:
        raise error.with_source(frame["sample_id"]) from None
