"""Pieces of Markdown that the reports and the model card share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["UNDEFINED", "escaped", "figure", "table"]

MARKUP = frozenset("\\|`*_<>[]#")
UNDEFINED = "n/a"


def escaped(text: object) -> str:
    """Return a user's text on one line, so that it neither breaks a table nor becomes markup."""
    flat = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in MARKUP else sign for sign in flat)


def figure(value: float | None) -> str:
    """Return a figure with three digits, or ``n/a`` where there is none."""
    return UNDEFINED if value is None else f"{value:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table.

    Args:
        head: The columns' names.
        rows: As many cells each, written as they are; texts of users go through :func:`escaped` first.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
