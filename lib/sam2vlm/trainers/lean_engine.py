"""DeepSpeed's engine without what it does again at every step and what never changes anything.

It walks over all modules of the model for each of these, and a model has hundreds: a tenth of the time of a small one.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["leave_out_walks"]


def leave_out_walks(engine: Any) -> None:
    """Have an engine do the same by lists that are made once. Weights come out bit for bit the same.

    Args:
        engine: A ``DeepSpeedEngine``; which of its weights are trained is decided.
    """
    modules = list(engine.module.modules())
    weights = [weight for weight in engine.module.parameters() if weight.requires_grad]

    def train(mode: bool = True) -> None:  # noqa: FBT001, FBT002  the signature that is called
        # The Trainer asks for it before every forward pass; evaluations in between have asked for the other mode.
        if any(module.training is not mode for module in modules):
            engine.module.train(mode)

    def zero_grad() -> None:
        # Called twice a step, by DeepSpeed and by the Trainer. What is not trained never has a gradient.
        for weight in weights:
            weight.grad = None

    def fill_up(**_options: Any) -> None:
        # Ranks average their gradients, and a weight that was not used counts as zeros: its decay goes on.
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)

    engine.train, engine.zero_grad = train, zero_grad
    if engine.dp_world_size == 1 and not (
        engine.zero_optimization() or engine.fp16_enabled() or engine.bfloat16_enabled()
    ):
        engine.buffered_allreduce_fallback = fill_up
