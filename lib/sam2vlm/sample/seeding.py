"""Random streams that depend on what they are for, never on the order in which they are drawn."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *purpose: object) -> np.random.Generator:
    """Return the random stream of one purpose.

    Frames are drawn by several threads in any order; each takes its numbers from a stream of its own, so the
    archive's bytes do not depend on how many there are.

    Args:
        seed: The sample's seed.
        purpose: What the numbers are for, for example ``"mask", frame, object_id``.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
