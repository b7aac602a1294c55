"""Imports of large libraries, without what they bring along and nobody here asks for."""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["not_found", "uncollected"]


@contextlib.contextmanager
def not_found(*names: str) -> Iterator[None]:
    """Hide libraries that are not loaded yet from imports in the block, as if they were not installed.

    Some libraries import others wherever they are installed. Who needs one after all is told so by an ImportError.

    Args:
        names: Top-level packages.
    """
    hidden = [name for name in names if name not in sys.modules]
    # The import system's own way to say so.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Take what is loaded in the block for what stays, and do not look for garbage in it, now or later.

    The collector would go through hundreds of thousands of a library's functions and classes again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
