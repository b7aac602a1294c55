"""SIGTERM: finish the step, save, leave. All ranks at the same step."""

from __future__ import annotations

import signal
from typing import Any

import torch
from torch import distributed

__all__ = ["Interruption"]


class Interruption:
    """Remembers that this process was asked to stop, and asks the other ranks whether they were.

    A signal reaches the ranks at different moments. One that left alone would let the others wait for it for
    ever in their next exchange, so the decision is taken by all of them together.
    """

    def __init__(self) -> None:
        self.asked = False
        self.agreed = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on; torchrun passes either of them to its workers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)

    def agree(self) -> bool:
        """Return whether any rank was asked to stop. Every rank has to call it at the same step."""
        asked = self.asked
        if distributed.is_initialized() and distributed.get_world_size() > 1:
            # On the CPU also where the ranks train on GPUs: the flag must not wait for the device's queue.
            device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
            flag = torch.tensor([int(asked)], device=device)
            distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
            asked = bool(flag.item())
        self.agreed = self.agreed or asked
        return self.agreed

    def _remember(self, _number: int, _frame: Any) -> None:
        self.asked = True
