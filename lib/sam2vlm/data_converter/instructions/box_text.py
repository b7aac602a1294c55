"""LLaVA's convention as functions, for those who know that they want it: see ``conventions.fractions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.conventions.convention import NOTHING, ParsedObjects
from sam2vlm.data_converter.instructions.conventions.fractions import LlavaBoxes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sam2vlm.data_converter.instructions.seen_objects import Seen

__all__ = ["NOTHING", "LlavaBoxes", "ParsedObjects", "format_objects", "parse_objects"]


def format_objects(objects: Iterable[Seen], width: int, height: int, decimals: int = 2) -> str:
    """Write objects as text, in the order given.

    Args:
        objects: With label and box ``(x, y, w, h)`` in frame pixels; those without a box are not visible and stay out.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        decimals: Digits after the point, 1 to 6.

    Raises:
        DataError: A label that is no Unicode text, or a box that is not finite.
        SettingsError: Impossible decimals.
    """
    return LlavaBoxes(decimals).format_objects(objects, width, height)


def parse_objects(text: str, width: int, height: int) -> ParsedObjects:
    """Read objects from text; what cannot be read is reported and left out, never raised.

    Args:
        text: A model's output.
        width: Of the frame in pixels.
        height: Of the frame in pixels.

    Returns:
        Boxes clipped to the frame. A box may have no extent where the text's precision leaves none.
    """
    return LlavaBoxes().parse_objects(text, width, height)
