"""What is different between two configurations, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["Difference", "differences", "leaves"]


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
    left, right = (dict(leaves(config.model_dump(mode="json"))) for config in (before, after))
    names = [*left, *(name for name in right if name not in left)]
    pairs = ((name, left.get(name), right.get(name)) for name in names)
    return tuple(Difference(name, one, other) for name, one, other in pairs if one != other)


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value below a mapping with its dotted name, in order."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
