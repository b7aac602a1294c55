"""Tiny models of the families' real classes, made on the spot from configurations and random weights."""

from __future__ import annotations

from tests.families.qwen import QWEN2_5_VL, QWEN2_VL, QWEN3_VL

__all__ = ["FAMILIES"]

FAMILIES = (QWEN2_VL, QWEN2_5_VL, QWEN3_VL)
