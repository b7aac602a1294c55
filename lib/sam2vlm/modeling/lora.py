"""The low-rank adapter: on the language model's projections, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peft import LoraConfig, PeftModel, get_peft_model

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["add_lora", "trainable_parameters"]

LANGUAGE_MODEL = "language_model"
ADAPTER_KEY = "lora_"


def add_lora(
    model: PreTrainedModel,
    *,
    target: str,
    rank: int,
    alpha: float,
    dropout: float,
    base_model: str,
    language_model_only: bool = True,
) -> PeftModel:
    """Wrap a model with a fresh adapter. Its first weights come from torch's random generator.

    Args:
        model: The frozen base.
        target: Regular expression that a module's whole name has to match; the family's own names the language
            model's projections. A list of suffixes would also hit the vision tower.
        rank: Columns of A and rows of B.
        alpha: The update's scale, divided by the rank.
        dropout: On the adapter's input.
        base_model: The base's name for the adapter's configuration.
        language_model_only: Refuse an adapter that reaches beyond the language model; a list of suffixes does so by
            mistake. Somebody who names other modules on purpose says False.

    Raises:
        SettingsError: The expression matches nothing, or something outside of the language model.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # PEFT only multiplies by it; a float is as good as an int
        lora_dropout=dropout,
        target_modules=target,
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=base_model,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise SettingsError("the adapter fits no module of this model", field="target_modules", found=error) from None
    _require_adapter_only(adapted, language_model_only=language_model_only)
    return adapted


def trainable_parameters(model: PeftModel) -> dict[str, int]:
    """Return how many numbers are trained, by parameter name."""
    return {name: weight.numel() for name, weight in model.named_parameters() if weight.requires_grad}


def _require_adapter_only(model: PeftModel, *, language_model_only: bool) -> None:
    trained = trainable_parameters(model)
    strays = sorted(
        name
        for name in trained
        if ADAPTER_KEY not in name or (language_model_only and LANGUAGE_MODEL not in name.split("."))
    )
    if strays:
        raise SettingsError(
            f"the adapter reaches {len(strays)} weights outside of the language model",
            field="target_modules",
            expected=f"modules below {LANGUAGE_MODEL}",
            found=strays[0],
        )
