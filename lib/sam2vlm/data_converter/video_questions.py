"""Questions about videos, one JSON line each, beside the dataset of single frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.artifacts import open_atomic
from sam2vlm.data_converter.conversations import json_line
from sam2vlm.data_converter.instructions.over_time import video_questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions import InstructionMix

__all__ = ["write_video_questions"]


def write_video_questions(
    splits: Mapping[str, Iterable[Frame]], folder: Path, *, mix: InstructionMix
) -> dict[str, int]:
    """Write ``<split>.jsonl`` into a folder, one question a line.

    Returns:
        Questions by split; empty, and nothing is written, where the plan has no video tasks.

    Raises:
        DataError: Two frames of one video have the same index.
    """
    counts = {}
    for split, frames in splits.items() if mix.video_tasks else ():
        counts[split] = 0
        with open_atomic(folder / f"{split}.jsonl", "w") as lines:
            for question in video_questions(frames, mix):
                lines.write(json_line(question.row()))
                counts[split] += 1
    return counts
