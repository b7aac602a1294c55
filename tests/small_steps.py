"""A real training step of a family's small model: the model as the trainer has it, and a batch from its processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from sam2vlm.config import ModelRegistry
from sam2vlm.config.workload import Workload
from sam2vlm.modeling.checkpointing import checkpoint_activations
from sam2vlm.modeling.collator import Collator, can_keep_logits
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.pictures import picture_tensors
from sam2vlm.modeling.source import find_model
from sam2vlm.modeling.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.families.tiny import Family

__all__ = ["SmallStep", "small_step"]

PICTURE = (112, 84)
#: Makes a few hundred tokens in the small models' vocabularies.
ANSWER = " ".join(["There are 2 objects: 1 crab and 1 fish."] * 12)


@dataclass(frozen=True)
class SmallStep:
    """A step to run and the same step to simulate."""

    model: Any
    batch: dict[str, Any]
    workload: Workload


def small_step(
    family: Family, folder: Path, *, batch_size: int = 3, padded: bool = False, **settings: Any
) -> SmallStep:
    """Make a family's small model and a batch of its own processor's.

    Args:
        family: Which one.
        folder: Where the model is written; the simulation reads its configuration and its processor.
        batch_size: Samples, all of one length or with a shorter second one.
        padded: Whether the second one is shorter.
        settings: Of the workload: ``gradient_checkpointing``, ``vision_tower``, ``projector``.
    """
    family.save(folder)
    processor: Any = load_processor(folder, name=family.name)
    names = map(ModelRegistry.get, ModelRegistry.names())
    entry = next(entry for entry in names if entry.type == family.name and not entry.packaged)
    settings = {"gradient_checkpointing": False, "rank": 4, "dropout": 0.05, **settings}
    base = load_model(
        find_model(family.name, checkpoint=str(folder)), class_name=family.class_name, dtype=torch.float32
    )
    parts = {name: settings[name] for name in ("vision_tower", "projector") if name in settings}
    model: Any = add_lora(
        base, target=entry.lora_target, rank=settings["rank"], alpha=8, dropout=settings["dropout"],
        base_model=family.name, **parts,
    )  # fmt: skip
    whole = settings["gradient_checkpointing"]
    checkpoint_activations(base, language_model=whole, vision_tower=whole)
    answers = [ANSWER, ANSWER[:-40] if padded else ANSWER, *[ANSWER] * batch_size][:batch_size]
    samples = [_sample(processor, number, answer) for number, answer in enumerate(answers)]
    collate = Collator(processor.tokenizer.pad_token_id, answers_only=can_keep_logits(model), multiple=1)
    batch = collate(samples)
    batch.pop("sample_numbers")
    workload = Workload(
        model=entry.name, precision="fp32", device="cpu", batch_size=batch_size, padded=padded,
        tokens=batch["input_ids"].shape[1], answer_tokens=batch.get("logits_to_keep"), picture=PICTURE, **settings,
    )  # fmt: skip
    return SmallStep(model.train(), batch, workload)


def _sample(processor: Any, number: int, answer: str) -> dict[str, Any]:
    target = Target(number, f"s{number}", "detect", "Locate every object in the picture.", answer, *PICTURE)
    return {
        "number": number,
        "encoded": Encoder(processor).encode(target),
        "picture": picture_tensors(processor, Image.new("RGB", PICTURE)),
    }
