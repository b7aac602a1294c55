"""How each family of models writes boxes: one class a convention, found by the family's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.conventions.convention import (
    NOTHING,
    BoxConvention,
    Outline,
    ParsedObjects,
    ParsedOutlines,
)
from sam2vlm.data_converter.instructions.conventions.fractions import FrameFractions, LlavaBoxes
from sam2vlm.data_converter.instructions.conventions.json_boxes import Qwen3VLBoxes, Qwen25VLBoxes
from sam2vlm.data_converter.instructions.conventions.locations import FlorenceBoxes, PaliGemmaBoxes
from sam2vlm.data_converter.instructions.conventions.tagged import InternVLBoxes, Qwen2VLBoxes
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONVENTIONS",
    "NOTHING",
    "BoxConvention",
    "FlorenceBoxes",
    "FrameFractions",
    "InternVLBoxes",
    "LlavaBoxes",
    "Outline",
    "PaliGemmaBoxes",
    "ParsedObjects",
    "ParsedOutlines",
    "Qwen2VLBoxes",
    "Qwen3VLBoxes",
    "Qwen25VLBoxes",
    "box_convention",
]

#: By the family's name, as ``sam2vlm.config.ModelType`` and Transformers' ``model_type`` have it.
CONVENTIONS: Mapping[str, type[BoxConvention]] = {
    "llava": LlavaBoxes,
    "llava_next": LlavaBoxes,
    "llava_onevision": LlavaBoxes,
    "qwen2_vl": Qwen2VLBoxes,
    "qwen2_5_vl": Qwen25VLBoxes,
    "qwen3_vl": Qwen3VLBoxes,
    "paligemma": PaliGemmaBoxes,
    "florence2": FlorenceBoxes,
    "internvl": InternVLBoxes,
    "instructblip": FrameFractions,
    "smolvlm": FrameFractions,
    "gemma3": FrameFractions,
}


def box_convention(family: str, **options: Any) -> BoxConvention:
    """Return how a family writes boxes.

    Args:
        family: One of :data:`CONVENTIONS`.
        options: Of its class: ``decimals`` where coordinates have a point, ``min_pixels`` and ``max_pixels`` where
            they are pixels of the resized picture.

    Raises:
        SettingsError: There is no such family, or it has no such option.
    """
    if family not in CONVENTIONS:
        raise SettingsError(
            "no way to write boxes is known for this family", expected=" or ".join(CONVENTIONS), found=family
        )
    try:
        return CONVENTIONS[family](**options)
    except TypeError:
        raise SettingsError(
            f"the boxes of {family} have no such option", expected="the options of its convention", found=options
        ) from None
