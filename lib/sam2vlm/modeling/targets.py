"""What a model is to answer: the dataset's neutral objects in the words of its family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.answers import answer_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from datasets import Dataset

__all__ = ["Target", "targets_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """One question about one frame and its answer.

    Attributes:
        row: The frame's row in the split.
        sample_id: ``<frame's sample_id>#<task>``, with ``.<n>`` for a task's further wordings.
        task: ``detect``, ``count`` or ``describe``.
        prompt: The question.
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


def targets_of(split: Dataset, *, decimals: int, tasks: Sequence[str] | None = None) -> list[Target]:
    """List the questions of a split with their answers, in the split's order.

    Args:
        split: Rows of ``RUN/prepare/dataset``; the pictures are not read.
        decimals: Digits of a coordinate, 0-1 of the padded square.
        tasks: Only these; None takes all.
    """
    rows = split.remove_columns("image")
    return [target for row, frame in enumerate(rows) for target in _of_frame(row, frame, decimals, tasks)]


def _of_frame(row: int, frame: Mapping[str, Any], decimals: int, tasks: Sequence[str] | None) -> Iterator[Target]:
    seen: dict[str, int] = {}
    for instruction in frame["instructions"]:
        task = instruction["task"]
        number = seen[task] = seen.get(task, 0) + 1
        if tasks is not None and task not in tasks:
            continue
        yield Target(
            row=row,
            sample_id=f"{frame['sample_id']}#{task}" + (f".{number}" if number > 1 else ""),
            task=task,
            prompt=instruction["prompt"],
            answer=answer_text(task, frame["objects"], frame["width"], frame["height"], decimals),
            width=frame["width"],
            height=frame["height"],
        )
