"""Transformers' Trainer, driven by DeepSpeed, with our order of samples, checkpoints, figures and way to stop.

Nothing is imported here: :mod:`sam2vlm.trainers.deepspeed` has to be told to be quiet before torch is loaded.
"""

from __future__ import annotations

__all__: list[str] = []
