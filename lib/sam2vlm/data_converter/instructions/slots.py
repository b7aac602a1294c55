"""Texts with places that are filled in later: ``{label}`` by the planner, ``{objects}`` for a family of models.

A brace that means itself is doubled, as in Python's ``str.format``; nothing else of that language is understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["escaped", "filled", "names_in", "rendered"]

_PART = re.compile(r"\{\{|\}\}|\{([a-z_]*)\}|[{}]")


def names_in(text: str) -> frozenset[str] | None:
    """Return the names of a text's places; None where a brace stands alone."""
    found = set()
    for part in _PART.finditer(text):
        if part[1] is not None:
            found.add(part[1])
        elif part[0] in ("{", "}"):
            return None
    return frozenset(found)


def escaped(text: str) -> str:
    """Return a text that means itself."""
    return text.replace("{", "{{").replace("}", "}}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill some of a text's places with texts that mean themselves; the others stay open."""
    return _PART.sub(lambda part: escaped(values[part[1]]) if part[1] in values else part[0], text)


def rendered(text: str, value: Callable[[str], str]) -> str:
    """Fill all of a text's places for good.

    Args:
        text: With places.
        value: Returns what stands in a place of this name.
    """
    return _PART.sub(lambda part: part[0][0] if part[1] is None else value(part[1]), text)
