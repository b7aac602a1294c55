"""The Muon optimizer for the weight matrices of the layers (Jordan et al., 2024).

Muon steps along the orthogonalised momentum, so that every direction of a matrix learns at the same pace. Here the
tower came nearly as far in 300 steps (with the rate brought down) as AdamW took it in 1,200 (without). PyTorch has one
of its own, but it multiplies in bfloat16, one matrix at a time, which took a CPU longer than the rest of the step; this
one does all matrices of a shape at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The fifth-order iteration's coefficients, from the authors' code: steep at zero rather than exact at one.
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.775, 2.0315
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton and Schulz's iteration; parameters must be matrices.

    Args:
        params: Matrices, or groups of them.
        lr: Length of a step; a step changes each singular direction by about this much.
        momentum: Share of the old direction, Nesterov's way.
        weight_decay: Share of a weight lost in a step, times ``lr``.
    """

    def __init__(
        self, params: Iterable[Any], *, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step.

        Raises:
            ValueError: There is a closure; nothing here calls one.
        """
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                updates = orthogonalise(torch.stack([self._direction(item, group["momentum"]) for item in parameters]))
                # A tall matrix's step is longer, so that its outputs change as much as those of a square one.
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _direction(self, parameter: Tensor, momentum: float) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None  # noqa: S101  step() has left out those without
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - momentum)
        turned: Tensor = gradient.lerp(state["momentum"], momentum)
        return turned


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices (n, rows, columns) with their singular values brought to about one (0.7 to 1.2)."""
    tall = matrices.shape[1] > matrices.shape[2]
    turned = matrices.mT if tall else matrices
    turned = turned / (turned.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(_ITERATIONS):
        gram = turned @ turned.mT
        gram = torch.baddbmm(gram, gram, gram, beta=_CUBIC, alpha=_QUINTIC)
        turned = torch.baddbmm(turned, gram, turned, beta=_LINEAR)
    return turned.mT if tall else turned
