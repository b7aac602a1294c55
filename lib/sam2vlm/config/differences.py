"""What is different between two configurations, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import differences as of_values

if TYPE_CHECKING:
    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field with its value on either side, as JSON has it.

    Attributes:
        field: Where it is, joined by dots: ``training.lora.rank``.
        before: On the left; None also where a whole group is missing there (a method without an adapter).
        after: On the right.
    """

    field: str
    before: Any
    after: Any


def differences(before: TrainingConfig, after: TrainingConfig) -> tuple[Difference, ...]:
    """Return the fields whose values differ, in the configuration's own order; none for equal configurations."""
    found = of_values(before.model_dump(mode="json"), after.model_dump(mode="json"))
    return tuple(Difference(name, one, other) for name, (one, other) in found.items())
