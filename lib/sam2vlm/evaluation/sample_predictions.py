"""A few frames that a model in training is asked about again and again: pictures, texts and figures of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.evaluation.evaluator import frame_results
from sam2vlm.evaluation.generation import predict
from sam2vlm.evaluation.metrics import METRICS, frame_score, score_frames
from sam2vlm.evaluation.pictures import Panel, draw_case
from sam2vlm.modeling.determinism import untouched_randomness
from sam2vlm.modeling.pictures import read_picture
from sam2vlm.tracking import SamplePrediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedModel, ProcessorMixin

    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.evaluation.frames import TestFrame
    from sam2vlm.evaluation.metrics import FrameResult

__all__ = ["answer_rows", "figures_of", "show_answers"]


def answer_rows(
    model: PreTrainedModel | PeftModel,
    processor: ProcessorMixin,
    split: Dataset,
    frames: Sequence[TestFrame],
    *,
    boxes: BoxConvention,
    batch_size: int,
    max_new_tokens: int,
    device: torch.device,
) -> list[dict[str, Any]]:
    """Ask a model in training what the evaluation would ask it.

    It is put into evaluation mode for that and back into training; no random generator is touched. At stage 3 every
    rank has to ask the same: the weights of a layer are gathered from all of them for each token.

    Args:
        model: In training; it stays as it is.
        processor: With the chat template that is trained with.
        split: Where the pictures are.
        frames: What to ask about.
        boxes: How the model's family writes boxes.
        batch_size: Questions in a batch; one of the training's size takes less memory than a step does.
        max_new_tokens: Longest answer in tokens.
        device: Where the model computes.

    Returns:
        As :func:`sam2vlm.evaluation.generation.predict`.
    """
    with untouched_randomness():
        model.eval()
        try:
            return predict(
                model,
                processor,
                split,
                frames,
                name=None,
                boxes=boxes,
                batch_size=batch_size,
                max_new_tokens=max_new_tokens,
                device=device,
            )
        finally:
            model.train()


def figures_of(rows: Sequence[Mapping[str, Any]], frames: Sequence[TestFrame]) -> dict[str, float]:
    """Score the answers; of so few frames the figures are a hint and no evaluation.

    Args:
        rows: From :func:`answer_rows`.
        frames: What was asked about.

    Returns:
        Those of :data:`sam2vlm.evaluation.metrics.METRICS` that have something to be computed from.
    """
    figures = score_frames(frame_results(rows, frames))
    return {name: float(figures[name]) for name in METRICS if figures[name] is not None}


def show_answers(
    split: Dataset, frames: Sequence[TestFrame], rows: Sequence[Mapping[str, Any]], *, step: int
) -> list[SamplePrediction]:
    """Draw each frame, the truth on the left and the model's boxes over it on the right, and write the answers down.

    Args:
        split: Where the pictures are.
        frames: What was asked about.
        rows: From :func:`answer_rows`.
        step: Optimizer steps done, for the title.
    """
    return [
        SamplePrediction(
            name=frame.sample_id,
            picture=_drawn(split, frame, result, rows, step=step),
            text="\n\n".join(_told(row) for row in rows if row["sample_id"] == frame.sample_id),
        )
        for frame, result in zip(frames, frame_results(rows, frames), strict=True)
    ]


def _drawn(
    split: Dataset, frame: TestFrame, result: FrameResult, rows: Sequence[Mapping[str, Any]], *, step: int
) -> bytes:
    image = read_picture(split, frame.row, sample_id=frame.sample_id, width=frame.width, height=frame.height)
    answer = next(row["answer"] for row in rows if row["sample_id"] == frame.sample_id)
    panels = [
        Panel("truth", frame.truth, ()),
        Panel(f"step {step}, score {frame_score(result):.2f}", result.truth, result.predicted),
    ]
    return draw_case(image, panels, caption=f"{frame.sample_id}: {answer or '(no answer)'}")


def _told(row: Mapping[str, Any]) -> str:
    cut = "" if row["finished"] else " (cut off)"
    # Indented, so that nothing that a model writes is taken for Markdown.
    truth, answer = (
        "\n".join(f"    {line}" for line in (text.splitlines() or [""])) for text in (_truth(row), row["answer"])
    )
    return f"**{row['prompt']}**\n\ntruth\n\n{truth}\n\nanswer{cut}\n\n{answer}"


def _truth(row: Mapping[str, Any]) -> str:
    return str(row["truth"]["answer"])
