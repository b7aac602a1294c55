"""The model that is trained: base, adapter or parts that learn, and what of it has a learning rate of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sam2vlm.config import ModelRegistry, Precision, TrainingMethod
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.attention import require_attention
from sam2vlm.modeling.checkpointing import checkpoint_activations
from sam2vlm.modeling.devices import DTYPES
from sam2vlm.modeling.freezing import learn_parts
from sam2vlm.modeling.liger import fuse_kernels, require_kernels
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.source import ModelSource
from sam2vlm.trainers.parameter_groups import part_rates

if TYPE_CHECKING:
    from pathlib import Path

    from peft import PeftModel
    from transformers import PreTrainedModel

    from sam2vlm.config import TrainingConfig

__all__ = ["precision_of", "trained_model"]


def trained_model(
    config: TrainingConfig, *, folder: Path, digest: str
) -> tuple[PeftModel | PreTrainedModel, dict[tuple[str, ...], float]]:
    """Return the base with a fresh adapter or with parts that learn, and the rates of parts that have their own.

    Args:
        config: The run's configuration.
        folder: The base model's files.
        digest: Of them.

    Raises:
        SettingsError: The settings do not fit the model or this machine.
        DataError: The model's weights cannot be read.
    """
    # Sharded weights are drawn before they are loaded; the adapter shall begin as it does at every other stage.
    with torch.random.fork_rng():
        base = _base(config, folder=folder, digest=digest)
    training = config.training
    rates = part_rates(
        base, projector=training.projector_learning_rate, vision_tower=training.vision_tower_learning_rate
    )
    model: PeftModel | PreTrainedModel
    if training.full is not None:
        learn_parts(base, training.full.parts)
        model = base
    else:
        model = _adapted(base, config)
    # Only now: wrapping a model that does so already, PEFT lets gradients run down to the words' embeddings as well.
    whole, tower = config.devices.gradient_checkpointing, config.devices.vision_gradient_checkpointing
    checkpoint_activations(base, language_model=whole, vision_tower=whole if tower is None else tower)
    return model, rates


def _adapted(base: PreTrainedModel, config: TrainingConfig) -> PeftModel:
    lora = config.training.lora
    assert lora is not None  # noqa: S101  told to mypy; a configuration has either group
    return add_lora(
        base,
        target=config.target_modules,
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        base_model=config.model.name,
        # Who names modules means them; the family's own expression must not leak.
        language_model_only=lora.target_modules is None,
        rslora=lora.rslora,
        dora=lora.dora,
        vision_tower=lora.vision_tower,
        projector=lora.projector.value,
    )


def precision_of(config: TrainingConfig) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``; what ``auto`` comes to depends on this machine.

    Raises:
        SettingsError: fp16 without a GPU; DeepSpeed has no such arithmetic on the CPU.
    """
    if config.devices.precision is Precision.FP16 and not torch.cuda.is_available():
        raise SettingsError(
            "needs a GPU, and this machine has none; set it to fp32, bf16 or auto",
            field="devices.precision",
            found=Precision.FP16.value,
        )
    if config.devices.precision is not Precision.AUTO:
        return config.devices.precision.value
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


def _base(config: TrainingConfig, *, folder: Path, digest: str) -> PreTrainedModel:
    dtype, attention = DTYPES[precision_of(config)], config.devices.attention.value
    require_attention(attention, dtype=dtype)
    require_kernels(config.devices.liger)
    model = load_model(
        ModelSource(name=config.model.name, folder=folder, digest=digest),
        class_name=ModelRegistry.get(config.model.name).class_name,
        dtype=dtype,
        attention=attention,
        four_bits=config.training.method is TrainingMethod.QLORA,
    )
    fuse_kernels(model, config.devices.liger)
    return model
