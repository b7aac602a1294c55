"""The whole evaluation of a run: base and tuned model answer, the answers are scored, the report is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import Counts, write_json, write_text
from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.cases import show_cases
from sam2vlm.evaluation.frames import choose_frames, read_split
from sam2vlm.evaluation.generation import TASKS, canonical_prompts, predict, true_answers
from sam2vlm.evaluation.metrics import METRICS, FrameResult, score_frames
from sam2vlm.evaluation.parsing import reading_summary
from sam2vlm.evaluation.report import render_report, verdict
from sam2vlm.logs import get_logger
from sam2vlm.modeling.adapter import load_adapter
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.devices import choose_device, choose_dtype
from sam2vlm.modeling.loading import load_for_answers, load_processor
from sam2vlm.modeling.source import ModelSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from datasets import Dataset

    from sam2vlm.evaluation.frames import TestFrame
    from sam2vlm.modeling.generation import Model
    from sam2vlm.modeling.trained import TrainedBase

__all__ = ["evaluate", "frame_results"]

SPLIT = "test"


def evaluate(
    folder: Path,
    *,
    dataset: Path,
    trained: Path,
    base: TrainedBase,
    experiment: str,
    options: Mapping[str, Any],
) -> tuple[Counts, dict[str, Any]]:
    """Evaluate the base and the tuned model and write everything that ``RUN/evaluate`` holds but its manifest.

    Args:
        folder: Where to write.
        dataset: ``RUN/prepare/dataset``.
        trained: ``RUN/train/adapter``, or ``RUN/train/model`` where the weights themselves were trained.
        base: The base model.
        experiment: Its name, for the report.
        options: The evaluation's settings, shown in the report: ``limit``, ``batch_size``, ``max_new_tokens``,
            ``pictures``, ``device`` and ``precision`` are read here.

    Returns:
        How many frames were there and looked at, and the manifest's facts.

    Raises:
        DataError: Dataset, pictures, adapter or model are not what the earlier phases wrote.
        SettingsError: CUDA is asked for and there is none.
    """
    split = read_split(dataset, SPLIT)
    frames = choose_frames(split, limit=options["limit"])
    device = choose_device(options["device"])
    dtype = choose_dtype(options["precision"], device)
    asking = {name: options[name] for name in ("batch_size", "max_new_tokens")}
    rows = _answers(split, frames, trained=trained, base=base, device=device, dtype=dtype, asking=asking)
    for name in ("base", "tuned"):
        _write_lines(folder / "predictions" / f"{name}.jsonl", rows[name])
    results = {name: frame_results(lines, frames) for name, lines in rows.items()}
    metrics = {name: score_frames(found) for name, found in results.items()}
    write_json(folder / "metrics.json", metrics)
    reading = {name: reading_summary(rows[name]) for name in ("base", "tuned")}
    cases = show_cases(folder, split, frames, rows=rows, results=results, number=options["pictures"])
    report = render_report(
        metrics,
        experiment=experiment,
        base_model=base.source.name,
        prompts=canonical_prompts(),
        reading=reading,
        cases=cases,
        settings=options,
    )
    write_text(folder / "report.md", report)
    get_logger("evaluation").info(
        verdict(metrics), **{f"{name}_{figure}": metrics[name][figure] for name in reading for figure in METRICS}
    )
    counts = Counts(seen=len(split), kept=len(frames), dropped=_beyond_limit(len(split) - len(frames)))
    return counts, {
        "base_model": base.source.name,
        "boxes": base.entry.boxes.model_dump(mode="json"),
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "metrics": metrics,
        "prompts": canonical_prompts(),
        "reading": reading,
        "split": SPLIT,
        "verdict": verdict(metrics),
    }


def frame_results(rows: Sequence[Mapping[str, Any]], frames: Sequence[TestFrame]) -> list[FrameResult]:
    """Put one model's answers to the questions about a frame together.

    Args:
        rows: As :func:`sam2vlm.evaluation.generation.predict` returns them.
        frames: The frames that were asked about, in the same order.
    """
    by_task = {task: [row for row in rows if row["task"] == task] for task in TASKS}
    return [
        FrameResult(
            sample_id=frame.sample_id,
            truth=frame.truth,
            predicted=tuple(SeenObject(item["label"], tuple(item["bbox"])) for item in detect["objects"]),
            count=count["count"],
        )
        for frame, detect, count in zip(frames, by_task["detect"], by_task["count"], strict=True)
    ]


def _answers(
    split: Dataset,
    frames: Sequence[TestFrame],
    *,
    trained: Path,
    base: TrainedBase,
    device: torch.device,
    dtype: torch.dtype,
    asking: Mapping[str, Any],
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of ``base``, ``tuned`` and ``ceiling``; both models are asked by the same processor."""
    source = base.source
    processor = load_processor(trained, name=source.name)
    boxes = boxes_of(base.entry, processor)
    model = load_for_answers(source, class_name=base.entry.class_name, dtype=dtype, device=device)
    before = predict(model, processor, split, frames, name="base", boxes=boxes, **asking)
    if base.whole:
        # Before the other one takes its place: both need not fit at once.
        del model
        tuned_model: Model = load_for_answers(
            ModelSource(source.name, trained, digest=""), class_name=base.entry.class_name, dtype=dtype, device=device
        )
    else:
        # The adapter goes onto the very model that has just answered: its weights are read once.
        tuned_model = load_adapter(model, trained)
    tuned = predict(tuned_model, processor, split, frames, name="tuned", boxes=boxes, **asking)
    return {"base": before, "tuned": tuned, "ceiling": true_answers(frames, boxes=boxes)}


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows))


def _beyond_limit(number: int) -> dict[str, int]:
    return {"beyond the limit": number} if number else {}
