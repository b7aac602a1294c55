"""One model's answers to the test split's questions, as the lines of ``predictions/<model>.jsonl``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.answers import answer_text
from sam2vlm.data_converter.instructions.templates import wordings
from sam2vlm.evaluation.parsing import Reading, read_count, read_objects
from sam2vlm.logs import track
from sam2vlm.modeling.generation import Answer, Question, ask
from sam2vlm.modeling.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedModel, ProcessorMixin

    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.evaluation.frames import TestFrame

__all__ = ["TASKS", "canonical_prompts", "predict", "true_answers"]

#: What is asked about every frame, in this order: first one question about all frames, then the other.
TASKS = ("detect", "count")


def canonical_prompts() -> dict[str, str]:
    """Return the one wording that each task is asked in: the first of the training's own, in English."""
    return {task: wordings("en", task)[0] for task in TASKS}


def predict(
    model: PreTrainedModel | PeftModel,
    processor: ProcessorMixin,
    split: Dataset,
    frames: Sequence[TestFrame],
    *,
    name: str | None,
    boxes: BoxConvention,
    batch_size: int,
    max_new_tokens: int,
    device: torch.device | None = None,
) -> list[dict[str, Any]]:
    """Ask one model about every frame.

    Args:
        model: In evaluation mode, on its device.
        processor: With the chat template that was trained with.
        split: Where the pictures are.
        frames: What to ask about.
        name: ``base`` or ``tuned``, for the progress; None shows none.
        boxes: How the model's family writes boxes.
        batch_size: Questions in a batch; every batch is of one task.
        max_new_tokens: Longest answer in tokens.
        device: Where the questions go; the model's own where left out.

    Returns:
        One row a question, all of a task together: ``sample_id``, ``task``, ``prompt``, ``answer``, ``finished``,
        ``objects`` (label and xywh box in frame pixels) or ``count``, ``unreadable`` and ``truth``.
    """
    rows = []
    for task, prompt in canonical_prompts().items():
        questions = [Question(prompt, functools.partial(_picture, split, frame)) for frame in frames]
        answers = ask(model, processor, questions, batch_size=batch_size, max_new_tokens=max_new_tokens, device=device)
        if name is not None:
            answers = track(answers, f"{name} model answers {task}", "answers", total=len(questions))
        rows += [_row(frame, task, prompt, answer, boxes) for frame, answer in zip(frames, answers, strict=True)]
    return rows


def true_answers(frames: Sequence[TestFrame], *, boxes: BoxConvention) -> list[dict[str, Any]]:
    """Return what a model that always says the true text would have answered, in the form of :func:`predict`."""
    return [
        _row(frame, task, prompt, Answer(_true_text(frame, task, boxes), finished=True), boxes)
        for task, prompt in canonical_prompts().items()
        for frame in frames
    ]


def _row(frame: TestFrame, task: str, prompt: str, answer: Answer, boxes: BoxConvention) -> dict[str, Any]:
    reading = _read(frame, task, answer.text, boxes)
    row: dict[str, Any] = {
        "sample_id": frame.sample_id,
        "task": task,
        "prompt": prompt,
        "answer": answer.text,
        "finished": answer.finished,
        "unreadable": list(reading.unreadable),
        "truth": {"answer": _true_text(frame, task, boxes)},
    }
    if task == "detect":
        row["objects"] = [{"label": item.label, "bbox": list(item.bbox)} for item in reading.objects]
        row["truth"]["objects"] = [{"label": item.label, "bbox": list(item.bbox)} for item in frame.truth]
    else:
        row["count"] = reading.count
        row["truth"]["count"] = len(frame.truth)
    return row


def _read(frame: TestFrame, task: str, text: str, boxes: BoxConvention) -> Reading:
    return read_objects(text, frame.width, frame.height, boxes) if task == "detect" else read_count(text)


def _true_text(frame: TestFrame, task: str, boxes: BoxConvention) -> str:
    objects: list[Mapping[str, Any]] = list(frame.objects)
    return answer_text(task, objects, frame.width, frame.height, boxes=boxes)


def _picture(split: Dataset, frame: TestFrame) -> Any:
    return read_picture(split, frame.row, sample_id=frame.sample_id, width=frame.width, height=frame.height)
