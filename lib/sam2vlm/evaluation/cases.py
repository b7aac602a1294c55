"""The best and the worst frames of the tuned model, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic
from sam2vlm.evaluation.metrics import FrameResult, frame_score
from sam2vlm.evaluation.pictures import Panel, draw_case
from sam2vlm.evaluation.report import Case
from sam2vlm.modeling.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from datasets import Dataset

    from sam2vlm.evaluation.frames import TestFrame

__all__ = ["choose_cases", "show_cases"]

MODELS = ("base", "tuned")


def choose_cases(results: Sequence[FrameResult], *, number: int) -> list[tuple[str, int]]:
    """Choose the frames to show.

    Args:
        results: Of the tuned model.
        number: How many of the best and how many of the worst; no frame is both.

    Returns:
        ``("best" or "worst", index into results)``: the best first, then the worst, the very worst first.
    """
    order = sorted(range(len(results)), key=lambda row: (-frame_score(results[row]), results[row].sample_id))
    best = order[: min(number, (len(order) + 1) // 2)]
    worst = order[len(best) :][::-1][:number]
    return [("best", row) for row in best] + [("worst", row) for row in worst]


def show_cases(
    folder: Path,
    split: Dataset,
    frames: Sequence[TestFrame],
    *,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    results: Mapping[str, Sequence[FrameResult]],
    number: int,
) -> list[Case]:
    """Draw the best and worst frames into ``folder/pictures``.

    Args:
        folder: ``RUN/evaluate`` in the making.
        split: Where the pictures are.
        frames: All frames.
        rows: By model the answers; those to the detect question come first, in the order of ``frames``.
        results: By model and frame what was read from them.
        number: How many of the best and how many of the worst.

    Returns:
        The cases for the report.
    """
    cases = []
    ranks = {"best": 0, "worst": 0}
    for kind, place in choose_cases(results["tuned"], number=number):
        ranks[kind] += 1
        name = f"pictures/{kind}-{ranks[kind]:02d}.png"
        frame = frames[place]
        found = {model: results[model][place] for model in MODELS}
        image = read_picture(split, frame.row, sample_id=frame.sample_id, width=frame.width, height=frame.height)
        panels = [
            Panel(f"{model} model, score {frame_score(result):.2f}", result.truth, result.predicted)
            for model, result in found.items()
        ]
        with open_atomic(folder / name) as stream:
            stream.write(draw_case(image, panels, caption=f"{kind} {ranks[kind]}: {frame.sample_id}"))
        cases.append(
            Case(
                kind=kind,
                sample_id=frame.sample_id,
                score=frame_score(found["tuned"]),
                base_score=frame_score(found["base"]),
                picture=name,
                truth=rows["tuned"][place]["truth"]["answer"],
                base_answer=rows["base"][place]["answer"],
                tuned_answer=rows["tuned"][place]["answer"],
            )
        )
    return cases
