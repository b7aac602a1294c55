"""What later phases and people need to know of a training run, for its manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from sam2vlm.config import ModelRegistry
from sam2vlm.trainers.full_trainer import LEARNED

if TYPE_CHECKING:
    from pathlib import Path

    from sam2vlm.artifacts import Counts, PhaseWork
    from sam2vlm.checkpoints import BestModelTracker, Checkpoint
    from sam2vlm.config import TrainingConfig
    from sam2vlm.modeling.samples import Samples

__all__ = ["Data", "training_facts"]


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on and what it is measured by: samples and counts of both splits."""

    train: Samples
    val: Samples
    train_counts: Counts
    val_counts: Counts


def training_facts(
    config: TrainingConfig,
    *,
    phase: PhaseWork,
    precision: str,
    data: Data,
    tracker: BestModelTracker,
    last: Checkpoint,
    best: Checkpoint,
) -> dict[str, Any]:
    """Return the facts; they follow from inputs, settings and checkpoints, whoever was killed on the way.

    Args:
        config: The run's configuration.
        phase: The phase.
        precision: The arithmetic that ``auto`` came to.
        data: Samples and counts of both splits.
        tracker: As the last checkpoint has it.
        last: The last checkpoint.
        best: The one that was published.
    """
    entry = ModelRegistry.get(config.model.name)
    return {
        "base_model": {
            "name": config.model.name,
            "checkpoint": entry.checkpoint,
            "class_name": entry.class_name,
            "digest": phase.inputs["model"],
        },
        "boxes": entry.boxes.model_dump(mode="json"),
        "precision": precision,
        "world_size": last.manifest.world_size,
        "samples": {
            "train": data.train_counts.model_dump(mode="json"),
            "val": data.val_counts.model_dump(mode="json"),
            "longest_tokens": max(data.train.lengths),
        },
        **_trained(config, best.folder),
        "result": {
            "steps": last.manifest.step,
            "epochs": last.manifest.epoch,
            "initial_val_loss": tracker.initial_value,
            "best_val_loss": tracker.best_value,
            "best_step": best.manifest.step,
            "last_val_loss": tracker.last_value,
            "last_train_loss": last.manifest.loss,
            "learned": tracker.learned,
        },
    }


def _trained(config: TrainingConfig, folder: Path) -> dict[str, Any]:
    if config.training.full is None:
        return {"adapter": {"target_modules": _target_modules(folder), "parameters": _parameters(folder)}}
    learned: dict[str, int] = json.loads((folder / LEARNED).read_text(encoding="utf-8"))
    return {"full": {"parameters": sum(learned.values()), "parts": learned}}


def _target_modules(folder: Path) -> str:
    # Of the adapter, not of the configuration: parts that were asked for by name have come to the expression.
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return str(config["target_modules"])


def _parameters(folder: Path) -> int:
    with safe_open(folder / "adapter_model.safetensors", framework="numpy") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118  not a dict
    total = 0
    for shape in shapes:
        size = 1
        for side in shape:
            size *= side
        total += size
    return total
