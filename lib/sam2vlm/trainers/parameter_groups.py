"""What is trained, in groups of one learning rate and weight decay each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.parts import projectors_of, vision_tower_of, within

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import nn
    from transformers import PreTrainedModel

__all__ = ["parameter_groups", "part_rates"]

#: PEFT's names of a wrapped model's weights begin with this.
WRAPPED = "base_model.model."


def part_rates(
    model: PreTrainedModel, *, projector: float | None, vision_tower: float | None
) -> dict[tuple[str, ...], float]:
    """Return the learning rates of a model's parts, by the parts' module names; the innermost part comes first.

    Args:
        model: The base, before PEFT's wrapping.
        projector: The projector's; None where it has none of its own.
        vision_tower: The tower's; a projector inside of the tower is not the tower.
    """
    rates: dict[tuple[str, ...], float] = {}
    if projector is not None:
        rates[projectors_of(model)] = projector
    if vision_tower is not None:
        rates[(vision_tower_of(model),)] = vision_tower
    return rates


def parameter_groups(
    model: nn.Module,
    rates: Mapping[tuple[str, ...], float],
    *,
    learning_rate: float,
    weight_decay: float,
    decayed: Collection[str],
) -> list[dict[str, Any]]:
    """Return torch's parameter groups, those of the parts last: the rate that is logged is the first group's.

    Args:
        model: The model, adapted or not.
        rates: From :func:`part_rates`.
        learning_rate: Of everything else.
        weight_decay: Of the weights in ``decayed``; others have none.
        decayed: Names of weights that decay: all but biases and norms.

    Raises:
        SettingsError: A part has a rate, but nothing in it is trained.
    """
    names = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    left = set(names)
    shares: list[tuple[set[str], float]] = []
    for parts, rate in rates.items():
        mine = {name for name in left if within(name.removeprefix(WRAPPED), parts)}
        if not mine:
            raise SettingsError(
                f"has a learning rate of its own, {rate:g}, but nothing in it is trained; leave the rate out",
                source=", ".join(parts),
                field="training",
            )
        left -= mine
        shares.append((mine, rate))
    return [
        {"params": chosen, "lr": rate, "weight_decay": decay}
        for mine, rate in [(left, learning_rate), *shares]
        for decays, decay in ((True, weight_decay), (False, 0.0))
        # In the model's order, which decides the order of sums.
        if (chosen := [weight for name, weight in names.items() if name in mine and (name in decayed) is decays])
    ]
