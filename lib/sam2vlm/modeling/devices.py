"""Where a model runs and in which arithmetic, from what people ask for and what the machine has."""

from __future__ import annotations

import torch

from sam2vlm.errors import SettingsError

__all__ = ["DTYPES", "choose_device", "choose_dtype"]

#: torch's number types by the names that settings have for them.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(asked: str) -> torch.device:
    """Return the device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        SettingsError: CUDA is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise SettingsError("CUDA is asked for and this machine has none", field="device", found=asked)
    return torch.device("cuda" if there and asked != "cpu" else "cpu")


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """Return the number type for ``auto``, ``fp32`` or ``bf16``; auto is bf16 on a GPU that has it."""
    if asked != "auto":
        return DTYPES[asked]
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
