"""Whether this machine can compute attention the way it is asked to."""

from __future__ import annotations

import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from sam2vlm.errors import SettingsError

__all__ = ["require_attention"]

FLASH = "flash_attention_2"


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
