"""The low-rank adapter: on the language model's projections, on other parts where they are asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from peft import LoraConfig, PeftModel, get_peft_model

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.parts import (
    LANGUAGE_MODELS,
    in_language_model,
    linear_layers,
    projectors_of,
    vision_tower_of,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn
    from transformers import PreTrainedModel

__all__ = ["add_lora", "trainable_parameters"]

ADAPTER_KEY = "lora_"
#: PEFT's names of a wrapped model's weights begin with this.
WRAPPED = "base_model.model."


def add_lora(
    model: PreTrainedModel,
    *,
    target: str,
    rank: int,
    alpha: float,
    dropout: float,
    base_model: str,
    language_model_only: bool = True,
    rslora: bool = False,
    dora: bool = False,
    vision_tower: bool = False,
    projector: Literal["frozen", "adapted", "trained"] = "frozen",
) -> PeftModel:
    """Wrap a model with a fresh adapter. Its first weights come from torch's random generator.

    Args:
        model: The frozen base.
        target: Regular expression that a module's whole name has to match; the family's own names the language
            model's projections. A list of suffixes would also hit the vision tower.
        rank: Columns of A and rows of B.
        alpha: The update's scale, divided by the rank, or by its root with ``rslora``.
        dropout: On the adapter's input.
        base_model: The base's name for the adapter's configuration.
        language_model_only: Refuse a target that reaches beyond the language model; a list of suffixes does so by
            mistake. Somebody who names other modules on purpose says False.
        rslora: Divide by the rank's square root (Kalajdzievski 2023).
        dora: Train the length of each weight's columns apart from their direction (Liu et al. 2024).
        vision_tower: Also adapt the vision tower's linear layers.
        projector: Leave the projector as it is, adapt its linear layers, or train all of its weights, which are
            then saved with the adapter.

    Raises:
        SettingsError: The expression matches nothing, or something that was not asked for.
    """
    projectors = projectors_of(model) if vision_tower or projector != "frozen" else ()
    extra: list[str] = []
    if vision_tower:
        extra.append(linear_layers(model, [vision_tower_of(model)], without=projectors))
    if projector == "adapted":
        extra.append(linear_layers(model, projectors))
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # PEFT only multiplies by it; a float is as good as an int
        lora_dropout=dropout,
        target_modules="|".join([target, *extra]),
        modules_to_save=list(projectors) if projector == "trained" else None,
        use_rslora=rslora,
        use_dora=dora,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base_model,
    )
    parts = [vision_tower_of(model)] if vision_tower else []
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise SettingsError("the adapter fits no module of this model", field="target_modules", found=error) from None
    _require_asked_only(
        adapted,
        adapted_parts=[*parts, *(projectors if projector == "adapted" else ())] if language_model_only else None,
        trained_parts=projectors if projector == "trained" else (),
    )
    return adapted


def trainable_parameters(model: nn.Module) -> dict[str, int]:
    """Return how many numbers are trained, by parameter name."""
    return {name: weight.numel() for name, weight in model.named_parameters() if weight.requires_grad}


def _require_asked_only(model: PeftModel, *, adapted_parts: Sequence[str] | None, trained_parts: Sequence[str]) -> None:
    """Refuse weights that nobody asked for.

    Args:
        model: The adapted model.
        adapted_parts: What may be adapted beside the language model; None allows all.
        trained_parts: What may be trained whole.
    """
    names = [name.removeprefix(WRAPPED) for name in trainable_parameters(model)]
    strays = sorted(name for name in names if not (_adapts(name, adapted_parts) or _trains_whole(name, trained_parts)))
    if strays:
        raise SettingsError(
            f"the adapter reaches {len(strays)} weights outside of the language model",
            field="target_modules",
            expected=f"modules below {', '.join([' or '.join(LANGUAGE_MODELS), *(adapted_parts or ())])}",
            found=strays[0],
        )


def _adapts(name: str, parts: Sequence[str] | None) -> bool:
    return ADAPTER_KEY in name and (parts is None or in_language_model(name) or within(name, parts))


def _trains_whole(name: str, parts: Sequence[str]) -> bool:
    return ADAPTER_KEY not in name and within(name, parts)
