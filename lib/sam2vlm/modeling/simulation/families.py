"""What the simulation has to know of a family; another one is added by one entry of :data:`FAMILIES`.

A family's entry names three things that no class of Transformers can be asked for without a checkpoint: how its
configuration follows from the registry's dimensions, which processor makes tensors of its pictures, and which picture
takes the registered number of image tokens. All else is the model's: how many tokens a picture takes is asked of
``get_image_features``, which inputs it wants of its ``forward``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from sam2vlm.modeling.simulation import configurations
from sam2vlm.modeling.simulation.tiles import without_blank_tiles
from sam2vlm.modeling.simulation.windows import one_stretch

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PretrainedConfig

    from sam2vlm.config.model_registry import ModelEntry

__all__ = ["FAMILIES", "SimulatedFamily"]

#: The smallest area that Qwen's take; their largest is a setting of ours.
LEAST_PIXELS = 3136
#: InternVL3 cuts a picture into twelve tiles at most.
MOST_TILES = 12


@dataclass(frozen=True, slots=True)
class SimulatedFamily:
    """One family.

    Attributes:
        config: Makes the configuration from the registry's dimensions.
        pictures: Makes the family's processor of pictures for (entry, largest area in pixels).
        usual: Returns the width and height in pixels of a picture that takes the registered number of image tokens,
            for the largest area in pixels.
        also: Returns further arguments of the model for (model, batch), where its own would be slow to follow; or
            prepares the model for what it reads of a picture's values.
        marks_answers: Whether the tokens' types tell the answer instead of the picture.
    """

    config: Callable[[ModelEntry], PretrainedConfig]
    pictures: Callable[[ModelEntry, int], Any]
    usual: Callable[[int], tuple[int, int]]
    also: Callable[[Any, dict[str, Any]], dict[str, Any]] = lambda _model, _inputs: {}
    marks_answers: bool = False


def _square(entry: ModelEntry) -> dict[str, int]:
    return {"height": entry.vision.image_size, "width": entry.vision.image_size}


def _cropped(entry: ModelEntry) -> dict[str, Any]:
    return {"size": {"shortest_edge": entry.vision.image_size}, "crop_size": _square(entry)}


def _smolvlm_pictures(entry: ModelEntry, _: int) -> Any:
    side = entry.vision.image_size
    return SmolVLMImageProcessorPil(
        size={"longest_edge": configurations.SMOLVLM_TILES_ACROSS * side}, max_image_size={"longest_edge": side}
    )


def _qwen_pictures(entry: ModelEntry, max_pixels: int) -> Any:
    size = {"shortest_edge": LEAST_PIXELS, "longest_edge": max_pixels}
    return Qwen2VLImageProcessorPil(patch_size=entry.vision.patch_size, merge_size=2, size=size)


def _of_full_area(max_pixels: int) -> tuple[int, int]:
    """Return five by four of the largest area: 1120 x 896 for 1,003,520 pixels."""
    width = math.isqrt(max_pixels * 5 // 4)
    return width, max_pixels // width


FAMILIES = {
    "LlavaForConditionalGeneration": SimulatedFamily(
        config=configurations.llava,
        pictures=lambda entry, _: CLIPImageProcessorPil(**_cropped(entry)),
        usual=lambda _: (336, 336),
    ),
    "LlavaNextForConditionalGeneration": SimulatedFamily(
        config=configurations.llava_next,
        pictures=lambda entry, _: LlavaNextImageProcessorPil(**_cropped(entry)),
        usual=lambda _: (672, 672),
    ),
    "LlavaOnevisionForConditionalGeneration": SimulatedFamily(
        config=configurations.llava_onevision,
        pictures=lambda entry, _: LlavaOnevisionImageProcessorPil(size=_square(entry)),
        usual=lambda _: (1152, 1152),
    ),
    "Qwen2VLForConditionalGeneration": SimulatedFamily(
        config=configurations.qwen2_vl, pictures=_qwen_pictures, usual=_of_full_area, also=one_stretch
    ),
    "Qwen2_5_VLForConditionalGeneration": SimulatedFamily(
        config=configurations.qwen2_5_vl, pictures=_qwen_pictures, usual=_of_full_area, also=one_stretch
    ),
    "Qwen3VLForConditionalGeneration": SimulatedFamily(
        config=configurations.qwen3_vl, pictures=_qwen_pictures, usual=_of_full_area, also=one_stretch
    ),
    "InternVLForConditionalGeneration": SimulatedFamily(
        config=configurations.internvl,
        pictures=lambda entry, _: GotOcr2ImageProcessorPil(
            size=_square(entry), crop_to_patches=True, min_patches=1, max_patches=MOST_TILES
        ),
        usual=lambda _: (1344, 896),
    ),
    "Gemma3ForConditionalGeneration": SimulatedFamily(
        config=configurations.gemma3,
        pictures=lambda entry, _: Gemma3ImageProcessorPil(size=_square(entry)),
        usual=lambda _: (896, 896),
    ),
    "SmolVLMForConditionalGeneration": SimulatedFamily(
        config=configurations.smolvlm,
        pictures=_smolvlm_pictures,
        usual=lambda _: (1536, 1536),
        also=without_blank_tiles,
    ),
    "PaliGemmaForConditionalGeneration": SimulatedFamily(
        config=configurations.paligemma,
        pictures=lambda entry, _: SiglipImageProcessorPil(size=_square(entry)),
        usual=lambda _: (448, 448),
        marks_answers=True,
    ),
}
