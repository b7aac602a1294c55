"""Tiny models of the families' real classes, made on the spot from configurations and random weights."""

from __future__ import annotations

from tests.families.gemma import GEMMA3
from tests.families.internvl import INTERNVL
from tests.families.llava import LLAVA, LLAVA_NEXT, LLAVA_ONEVISION
from tests.families.paligemma import PALIGEMMA
from tests.families.qwen import QWEN2_5_VL, QWEN2_VL, QWEN3_VL
from tests.families.smolvlm import SMOLVLM

__all__ = ["FAMILIES"]

FAMILIES = (LLAVA, LLAVA_NEXT, LLAVA_ONEVISION, QWEN2_VL, QWEN2_5_VL, QWEN3_VL, INTERNVL, GEMMA3, SMOLVLM, PALIGEMMA)
