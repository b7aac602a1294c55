"""Activations that are computed twice instead of kept, of the language model and of the vision tower apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers.modeling_layers import GradientCheckpointingLayer

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.parts import vision_tower_of, within

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["checkpoint_activations"]


def checkpoint_activations(model: PreTrainedModel, *, language_model: bool, vision_tower: bool) -> None:
    """Have layers keep only their input and compute the rest again in the backward pass.

    Args:
        model: The base, before or behind PEFT's wrapping.
        language_model: Those of everything but the tower.
        vision_tower: Those of the tower; it has no effect where nothing in the tower is trained, because nothing is
            kept there then.

    Raises:
        SettingsError: The model's class cannot do it.
    """
    if not (language_model or vision_tower):
        return
    try:
        # The other kind of checkpointing finds no gradient at a frozen model's input.
        model.activation_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise SettingsError(
            "this model cannot compute its activations twice; set it to no",
            field="devices.gradient_checkpointing",
            found=error,
        ) from None
    if language_model and vision_tower:
        return
    tower = vision_tower_of(model)
    for name, module in model.named_modules():
        if isinstance(module, GradientCheckpointingLayer) or hasattr(module, "gradient_checkpointing"):
            module.gradient_checkpointing = vision_tower if within(name, [tower]) else language_model
