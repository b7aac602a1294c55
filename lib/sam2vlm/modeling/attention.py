"""Whether this machine and a model's class can compute attention the way it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import MODEL_MAPPING
from transformers.utils.import_utils import is_flash_attn_2_available

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

__all__ = ["attention_of", "require_attention"]

FLASH, SDPA, EAGER = "flash_attention_2", "sdpa", "eager"
#: Families, by their model_type, in which tokens see later ones: those of a picture, or of a whole question. Flash
#: attention leaves such a mask out without a word, and PaliGemma's answers would then be learnt from themselves.
SEE_AHEAD = frozenset({"gemma3", "paligemma"})


def require_attention(implementation: str, *, dtype: torch.dtype) -> None:
    """Refuse an implementation that is not here, before a model is loaded for it.

    Args:
        implementation: Transformers' name.
        dtype: Of the weights.

    Raises:
        SettingsError: The flash-attn package or its GPU is missing, or the weights have 32 bits.
    """
    if implementation != FLASH:
        return
    if not is_flash_attn_2_available():
        raise SettingsError(
            "needs the flash-attn package and a CUDA GPU, which are not here; choose sdpa",
            field="devices.attention",
            found=implementation,
        )
    if dtype not in (torch.bfloat16, torch.float16):
        raise SettingsError(
            "computes in 16 bits only; set devices.precision to bf16, or choose sdpa",
            field="devices.attention",
            found=f"{implementation} with {str(dtype).removeprefix('torch.')}",
        )


def attention_of(config: PretrainedConfig, *, asked: str) -> dict[str, str]:
    """Return how each part of a model computes attention, as ``from_pretrained`` takes it.

    Args:
        config: The model's.
        asked: Transformers' name of an implementation. Where the language model's class has no fused kernel (Gemma 2
            caps its scores, and torch's kernel cannot), ``sdpa`` means one step after the other there.

    Raises:
        SettingsError: Flash attention is asked for where it would compute something else.
    """
    if asked == FLASH and config.model_type in SEE_AHEAD:
        raise SettingsError(
            "would leave out which tokens of this family see later ones; choose sdpa",
            field="devices.attention",
            found=f"{asked} with {config.model_type}",
        )
    classes: Any = MODEL_MAPPING
    text = classes.get(type(config.get_text_config()), None)
    plain = asked == SDPA and text is not None and not text._supports_sdpa  # noqa: SLF001  Transformers' own answer
    # Each part by its name: one that is left out takes what Transformers takes by default.
    return dict.fromkeys(("", *config.sub_configs), asked) | ({"text_config": EAGER} if plain else {})
