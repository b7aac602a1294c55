"""What two groups of settings differ in, by the names that a person would look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["differences", "leaves"]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return both values of everything that differs, by its dotted name, in the settings' own order.

    Args:
        before: JSON values.
        now: JSON values. What only one of the two has, alone or with its whole group, is None in the other.
    """
    left, right = dict(leaves(before)), dict(leaves(now))
    pairs = {name: (left.get(name), right.get(name)) for name in {**left, **right}}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value below a mapping with its dotted name, in order."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
