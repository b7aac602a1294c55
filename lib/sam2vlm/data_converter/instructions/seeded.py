"""Chance that depends on its arguments alone."""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring_ascii

__all__ = ["uniform"]


def uniform(seed: int, *parts: str) -> float:
    """Return a number in (0, 1) that depends on the arguments alone, on any machine."""
    # The JSON of [seed, *parts]; json.dumps spends most of its time on making an encoder.
    text = ", ".join([str(seed), *map(encode_basestring_ascii, parts)])
    digest = hashlib.sha256(f"[{text}]".encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
