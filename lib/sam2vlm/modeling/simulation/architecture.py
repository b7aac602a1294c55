"""The real classes of Transformers without their weights: from a checkpoint's configuration, or from the registry's."""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

from sam2vlm.config.model_registry import ModelRegistry
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.attention import SDPA, attention_of
from sam2vlm.modeling.checkpointing import checkpoint_activations
from sam2vlm.modeling.devices import DTYPES
from sam2vlm.modeling.freezing import learn_parts
from sam2vlm.modeling.loading import read_config
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.parts import LANGUAGE_MODELS
from sam2vlm.modeling.simulation.families import FAMILIES
from sam2vlm.modeling.simulation.kernels import fused_attention, quantize

if TYPE_CHECKING:
    from torch import nn

    from sam2vlm.config.model_registry import ModelEntry
    from sam2vlm.config.workload import Workload

__all__ = ["build_model", "can_simulate", "checkpoint_folder", "model_config"]


def can_simulate(class_name: str) -> bool:
    """Return whether a step of this class of Transformers can be simulated."""
    return class_name in FAMILIES


def model_config(entry: ModelEntry, folder: Path | None = None) -> PretrainedConfig:
    """Return a model's configuration without asking a hub.

    Args:
        entry: The registry's.
        folder: A checkpoint's; its ``config.json`` is taken before the registry's dimensions.

    Raises:
        SettingsError: The class is not one that can be simulated, or the checkpoint is of another.
    """
    if not can_simulate(entry.class_name):
        raise SettingsError(
            "its training step cannot be simulated in this version; `sam2vlm models` has an estimate by formula",
            field="model",
            expected=f"a {' or '.join(sorted(FAMILIES))}",
            found=entry.class_name,
        )
    folder = checkpoint_folder(entry, folder)
    if folder is not None:
        return read_config(folder, name=entry.name, class_name=entry.class_name)
    return FAMILIES[entry.class_name].config(entry)


def checkpoint_folder(entry: ModelEntry, folder: Path | None) -> Path | None:
    """Return where a model's files are: the given folder, this package for a model that is shipped in it, or None."""
    if folder is None and entry.packaged:
        return Path(str(files("sam2vlm").joinpath(str(entry.checkpoint).removeprefix("package:"))))
    return folder


def build_model(workload: Workload, folder: Path | None = None) -> nn.Module:
    """Build a workload's model on the meta device, quantized and adapted as the trainer has it.

    The adapter is of the arithmetic's type: DeepSpeed casts the whole module and keeps float32 copies of what is
    trained with the optimizer.
    """
    entry = ModelRegistry.get(workload.model)
    config, dtype = model_config(entry, folder), DTYPES[workload.precision]
    config.use_cache = config.get_text_config().use_cache = False
    # PEFT asks Transformers by names that are deprecated, and nobody who reads a plan can change that.
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore", FutureWarning)
        # The way that from_pretrained takes behind its loading; a class called by itself would ignore the type.
        model: PreTrainedModel = getattr(transformers, entry.class_name)._from_config(  # noqa: SLF001
            config, dtype=dtype, attn_implementation=_attending(config, workload.device, SDPA)
        )
        # Afterwards: Transformers would look for the package, which is no part of the simulation.
        model.config._attn_implementation = _attending(config, workload.device, workload.attention)  # noqa: SLF001
        # As the loading of a real one leaves it (sam2vlm.modeling.loading).
        model.name_or_path = model.config._name_or_path = workload.model  # noqa: SLF001
        if workload.method == "qlora":
            quantize(model, below=LANGUAGE_MODELS)
        adapted: nn.Module = model
        if workload.adapted:
            adapted = add_lora(
                model,
                target=workload.target or entry.lora_target,
                rank=workload.rank,
                alpha=2 * workload.rank,
                dropout=workload.dropout,
                base_model=workload.model,
                language_model_only=workload.target is None,
                dora=workload.dora,
                vision_tower=workload.vision_tower,
                projector=workload.projector,
            )
        elif workload.learning is not None:
            learn_parts(model, workload.learning)
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight.data = weight.data.to(dtype)
        whole, tower = workload.gradient_checkpointing, workload.vision_gradient_checkpointing
        checkpoint_activations(model, language_model=whole, vision_tower=whole if tower is None else tower)
    return adapted.train()


def _attending(config: PretrainedConfig, device: str, asked: str) -> dict[str, str]:
    """Return how each part of a model attends, as its configuration takes it, with the device's kernels under it."""
    return {part: fused_attention(device, name) for part, name in attention_of(config, asked=asked).items()}
