"""Chance that depends on its arguments alone."""

from __future__ import annotations

import hashlib
import json

__all__ = ["uniform"]


def uniform(seed: int, *parts: str) -> float:
    """Return a number in (0, 1) that depends on the arguments alone, on any machine."""
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
