"""The figures of the steps since the last logged line, over all ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FiguresWindow"]


@dataclass(slots=True)
class FiguresWindow:
    """The steps since the last logged line. A checkpoint carries it, so that a resumed run logs the same figures.

    Attributes:
        losses: Training loss of each step.
        last_loss: Of the newest step.
        useful: Tokens of prompts, pictures and answers that all ranks have trained on; grows in :meth:`settle`.
        padded: The same with what fills up the shorter samples of each batch.
        names: The samples of the step at work, on this rank.
    """

    losses: list[float] = field(default_factory=list)
    last_loss: float | None = None
    useful: int = 0
    padded: int = 0
    names: list[str] = field(default_factory=list)
    _own: list[int] = field(default_factory=lambda: [0, 0])

    def take_batch(self, names: Sequence[str], *, useful: int, padded: int) -> None:
        """Count one forward pass of this rank.

        Args:
            names: Its samples' ids.
            useful: Tokens of its samples.
            padded: Rows times columns.
        """
        self.names.extend(names)
        self._own[0] += useful
        self._own[1] += padded

    def settle(self) -> None:
        """Add up what the ranks have counted on their own. Every rank has to call it at the same step."""
        useful, padded = _sum_over_ranks(self._own)
        self._own = [0, 0]
        self.useful += useful
        self.padded += padded

    @property
    def useful_share(self) -> float | None:
        """Useful tokens over all, of what is settled; None where nothing is."""
        return self.useful / self.padded if self.padded else None

    def clear(self) -> None:
        """Begin the next line."""
        self.losses.clear()
        self.useful = self.padded = 0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to remember, as JSON values; settled before."""
        return {"window": list(self.losses), "tokens": [self.useful, self.padded]}

    def restore(self, state: Mapping[str, Any], *, last_loss: float | None) -> None:
        """Take back what :meth:`state` returned.

        Args:
            state: A checkpoint's.
            last_loss: The checkpoint's own.
        """
        self.losses[:] = state["window"]
        # Checkpoints of version 0.1 did not count tokens.
        self.useful, self.padded = state.get("tokens", (0, 0))
        self.last_loss = last_loss


def _sum_over_ranks(values: Sequence[int]) -> list[int]:
    if not (distributed.is_initialized() and distributed.get_world_size() > 1):
        return list(values)
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    sums = torch.tensor(values, dtype=torch.int64, device=device)
    distributed.all_reduce(sums)
    return [int(value) for value in sums.tolist()]
