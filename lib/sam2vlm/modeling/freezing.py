"""Which weights of a model learn without an adapter: those of chosen parts, as far as the answers depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from sam2vlm.modeling.parts import LANGUAGE_MODEL, in_language_model, projectors_of, vision_tower_of, within

if TYPE_CHECKING:
    from collections.abc import Collection

    from transformers import PreTrainedModel

__all__ = ["PARTS", "learn_parts", "part_of_weights"]

#: The parts that every weight belongs to one of.
PARTS = (LANGUAGE_MODEL, "projector", "vision_tower")
OUTPUT_LAYER = "lm_head"
#: Of a tower: it pools the picture into one vector, which no family here asks for.
POOLING = "head"
#: Of a tower: it comes behind the layer that families with a ``vision_feature_layer`` take their features from.
LAST_NORM = "post_layernorm"


def part_of_weights(model: PreTrainedModel) -> dict[str, str]:
    """Return the part of every weight by its name; a tied weight is named once, as torch does.

    What lies in neither tower nor language model counts with the projector: LLaVA-NeXT's ``image_newline`` stands
    between the rows of the projected features.

    Raises:
        SettingsError: The model has no tower or no projector under a name that is known.
    """
    tower, projectors = vision_tower_of(model), projectors_of(model)

    def part(name: str) -> str:
        if in_language_model(name) or within(name, [OUTPUT_LAYER]):
            return LANGUAGE_MODEL
        return "vision_tower" if within(name, [tower]) and not within(name, projectors) else "projector"

    return {name: part(name) for name, _ in model.named_parameters()}


def learn_parts(model: PreTrainedModel, parts: Collection[str]) -> None:
    """Have the weights of some parts learn and freeze all others.

    Weights of the tower that no feature passes through stay frozen: they never get a gradient, and weight decay
    would take them down all the same, at some of ZeRO's stages and not at others.

    Args:
        model: The base.
        parts: Of :data:`PARTS`.

    Raises:
        SettingsError: The model has no tower or no projector under a name that is known.
    """
    unused = _unused(model)
    of_weights = part_of_weights(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(of_weights[name] in parts and not within(name, unused))


def _unused(model: PreTrainedModel) -> list[str]:
    tower = vision_tower_of(model)
    unused = [f"{tower}.{POOLING}"]
    chosen = getattr(model.config, "vision_feature_layer", None)
    if chosen is None:
        return unused
    unused.append(f"{tower}.{LAST_NORM}")
    for name, module in model.get_submodule(tower).named_modules():
        if isinstance(module, nn.ModuleList):
            # The features before the first layer count as well: -1 is the last layer's.
            layers = [index if index >= 0 else len(module) + 1 + index for index in _as_list(chosen)]
            unused += [f"{tower}.{name}.{number}" for number in range(max(layers), len(module))]
            break
    return unused


def _as_list(value: int | list[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)
