"""Where a model's vision tower and projector are, and which of their layers an adapter can sit on.

The names are those of Transformers 5: ``PreTrainedModel.get_encoder`` knows the towers', the projectors' are read from
the families' classes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torch import nn

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

__all__ = [
    "LANGUAGE_MODEL",
    "LANGUAGE_MODELS",
    "base_of",
    "in_language_model",
    "linear_layers",
    "projectors_of",
    "vision_tower_of",
    "within",
]

LANGUAGE_MODEL = "language_model"
#: SmolVLM's has the other name.
LANGUAGE_MODELS = (LANGUAGE_MODEL, "text_model")
TOWERS = ("vision_tower", "visual", "vision_model")
#: Qwen's lie inside of their towers.
PROJECTORS = ("multi_modal_projector", "connector", "language_projection", "merger", "deepstack_merger_list")


def base_of(model: Any) -> Any:
    """Return Transformers' model inside of PEFT's wrapping; a model that has none as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def vision_tower_of(model: PreTrainedModel) -> str:
    """Return the whole name of a model's vision tower.

    Raises:
        SettingsError: It has none under a name that is known.
    """
    return _outermost(model, TOWERS, what="vision tower")[0]


def projectors_of(model: PreTrainedModel) -> tuple[str, ...]:
    """Return the whole names of what turns the tower's features into the language model's; most families have one.

    Raises:
        SettingsError: It has none under a name that is known.
    """
    # PEFT trains no list as a whole; Qwen3-VL has one of mergers.
    return tuple(
        f"{name}.{place}" if isinstance(module, nn.ModuleList) else name
        for name in _outermost(model, PROJECTORS, what="projector")
        for module in [model.get_submodule(name)]
        for place in (range(len(module)) if isinstance(module, nn.ModuleList) else [0])
    )


def linear_layers(model: PreTrainedModel, parts: Sequence[str], *, without: Sequence[str] = ()) -> str:
    """Return the regular expression of the linear layers below some modules, and of nothing else.

    Args:
        model: The model.
        parts: Whole names of modules.
        without: Whole names of modules that lie in them and are left out.

    Raises:
        SettingsError: There is no linear layer.
    """
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and within(name, parts) and not within(name, without)
    ]
    if not names:
        raise SettingsError(
            "has no linear layer that an adapter could sit on; leave it frozen, or train the projector whole",
            source=", ".join(parts),
            field="lora",
        )
    # The layers of a stack differ in their number only.
    return "|".join(sorted({re.sub(r"\\\.\d+(?=\\\.|$)", r"\\.\\d+", re.escape(name)) for name in names}))


def within(name: str, parts: Sequence[str]) -> bool:
    """Return whether a module or a weight is one of some modules or lies in it."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def in_language_model(name: str) -> bool:
    """Return whether a module or a weight is the language model's, by its whole name."""
    return any(part in LANGUAGE_MODELS for part in name.split("."))


def _outermost(model: PreTrainedModel, known: Sequence[str], *, what: str) -> tuple[str, ...]:
    found: list[str] = []
    for name, _ in model.named_modules():
        path = name.split(".")
        # Named modules come from the outside to the inside.
        if path[-1] in known and not in_language_model(name) and not within(name, found):
            found.append(name)
    if not found:
        raise SettingsError(
            f"has no {what} under a known name; leave it frozen", field="lora", expected=" or ".join(known)
        )
    return tuple(found)
