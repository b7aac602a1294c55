"""The plan as the train phase's first word: logged before anything is loaded, and refused where it cannot fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from sam2vlm.artifacts import read_manifest
from sam2vlm.config import ModelRegistry
from sam2vlm.config.gpus import GB, find_gpu
from sam2vlm.config.memory import HEADROOM
from sam2vlm.config.plan import speed_of
from sam2vlm.config.workload import Workload
from sam2vlm.errors import DataError, SettingsError
from sam2vlm.logs import get_logger
from sam2vlm.modeling.simulation import can_simulate, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sam2vlm.artifacts import RunLayout
    from sam2vlm.config import TrainingConfig
    from sam2vlm.config.workload import Footprint

__all__ = ["FORCE_VARIABLE", "Card", "plan_before_loading", "questions_of", "refuse_what_cannot_fit", "visible_card"]

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


def plan_before_loading(
    config: TrainingConfig,
    card: Card | None,
    *,
    precision: str,
    model_folder: Path,
    questions: int | None,
    force: bool,
) -> None:
    """Log what a training step needs on each GPU, whether it fits and how long it all takes; refuse what cannot fit.

    Called once on a machine: the ranks' GPUs are alike. The event is the machine's first, whatever is in it.

    Args:
        config: The run's configuration.
        card: This process's GPU; None on the CPU, where there is nothing to hold it against.
        precision: Of the arithmetic, as it was decided for this machine.
        model_folder: The base model's, for its configuration; no weight is read.
        questions: Samples of an epoch; None where they are not known.
        force: Train nevertheless.

    Raises:
        SettingsError: It cannot fit, or the folder holds another kind of model.
    """
    log, entry = get_logger("plan"), ModelRegistry.get(config.model.name)
    place = {"gpu": card.name, "gpu_gb": round(card.memory / GB, 2)} if card else {"gpu": None, "gpu_gb": None}
    common = {"nodes": config.devices.nodes, "processes": config.devices.world_size, **place}
    if not can_simulate(entry.class_name):
        reason = f"a training step of {entry.class_name} cannot be simulated"
        log.warning("plan", total_gb=None, fits=None, hours=None, reason=reason, **common)
        return
    workload = replace(Workload.of(config, device="cuda" if card else "cpu"), precision=precision)
    needed = simulate(workload, model_folder)
    log.info(
        "plan",
        total_gb=round(needed.total / GB, 3),
        fits=needed.total <= card.memory * HEADROOM if card else None,
        hours=_hours(config, card, workload, needed, questions=questions),
        **{f"{part}_gb": round(size / GB, 3) for part, size in needed.parts.items()},
        flops=needed.flops,
        **common,
    )
    if card is not None:
        refuse_what_cannot_fit(needed.total, card, force=force)


def questions_of(layout: RunLayout, tasks: Sequence[str]) -> int | None:
    """Return how many samples an epoch has, from what prepare has counted; None where it has not."""
    try:
        facts = read_manifest(layout.manifest("prepare")).facts
        asked = facts["splits"]["train"]["instructions"]
        return sum(int(asked.get(task, 0)) for task in tasks)
    except (DataError, KeyError, TypeError, AttributeError):
        return None


def _hours(
    config: TrainingConfig, card: Card | None, workload: Workload, needed: Footprint, *, questions: int | None
) -> float | None:
    """Return the hours of the whole training at the assumed efficiency; None without a known card or number."""
    if card is None or questions is None:
        return None
    try:
        speed = speed_of(workload, needed, find_gpu(card.name))
    except SettingsError:
        return None
    if speed is None:
        return None
    return round(questions * config.training.num_epochs / speed / config.devices.world_size / 3600, 3)


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
