"""The plan as the train phase's first word: logged before anything is loaded, and refused where it cannot fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from sam2vlm.config import ModelRegistry
from sam2vlm.config.workload import Workload
from sam2vlm.errors import SettingsError
from sam2vlm.logs import get_logger
from sam2vlm.modeling.simulation import can_simulate, simulate

if TYPE_CHECKING:
    from pathlib import Path

    from sam2vlm.config import TrainingConfig

__all__ = ["FORCE_VARIABLE", "Card", "plan_before_loading", "refuse_what_cannot_fit", "visible_card"]

GB = 1e9
FORCE_VARIABLE = "SAM2VLM_FORCE_PLAN"


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU that is there: its name and its memory in bytes."""

    name: str
    memory: int


def visible_card() -> Card | None:
    """Return this process's GPU; None on the CPU, whose memory the operating system shares out."""
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return Card(properties.name, properties.total_memory)


def plan_before_loading(config: TrainingConfig, card: Card, *, precision: str, model_folder: Path, force: bool) -> None:
    """Log what a training step needs on each GPU; refuse it where the GPU is too small.

    Called on one rank only: the ranks' GPUs are alike.

    Args:
        config: The run's configuration.
        card: This process's GPU.
        precision: Of the arithmetic, as it was decided for this machine.
        model_folder: The base model's, for its configuration; no weight is read.
        force: Train nevertheless.

    Raises:
        SettingsError: It cannot fit, or the folder holds another kind of model.
    """
    log, entry = get_logger("plan"), ModelRegistry.get(config.model.name)
    if not can_simulate(entry.class_name):
        log.warning("no_plan", reason=f"a training step of {entry.class_name} cannot be simulated")
        return
    needed = simulate(replace(Workload.of(config), precision=precision), model_folder)
    parts = {f"{part}_gb": round(size / GB, 3) for part, size in needed.parts.items()}
    log.info(
        "plan",
        total_gb=round(needed.total / GB, 3),
        **parts,
        flops=needed.flops,
        gpu=card.name,
        gpu_gb=round(card.memory / GB, 2),
    )
    refuse_what_cannot_fit(needed.total, card, force=force)


def refuse_what_cannot_fit(needed: int, card: Card, *, force: bool) -> None:
    """Refuse a step that needs more than all of a GPU's memory. Close calls are left to try.

    Args:
        needed: Bytes at the highest moment of a step.
        card: The GPU.
        force: Only warn.

    Raises:
        SettingsError: It is too small.
    """
    if needed <= card.memory:
        return
    if force:
        get_logger("plan").warning("forced", needed_gb=round(needed / GB, 2), gpu_gb=round(card.memory / GB, 2))
        return
    raise SettingsError(
        "a training step cannot fit this GPU; `sam2vlm plan --memory-gb "
        f"{card.memory / GB:.0f}` names the cheapest change, {FORCE_VARIABLE}=true trains nevertheless",
        field="training.batch_size",
        expected=f"at most {card.memory / GB:.1f} GB on {card.name}",
        found=f"{needed / GB:.1f} GB",
    )
