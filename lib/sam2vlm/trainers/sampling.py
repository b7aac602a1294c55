"""The order of the samples: random by seed and epoch, batches of similar length, whole batches only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["LengthGroupedSampler"]

# Batches that are sorted together. More saves more padding and makes batches less random.
POOL = 8


class LengthGroupedSampler(Sampler[int]):
    """Yields sample numbers so that each run of ``global_batch`` of them is one optimizer step.

    The order depends on the seed, the epoch and the global batch alone, so one rank with a batch of eight and two
    with four take the same steps. The last step of an epoch is filled up with the epoch's first samples, so that
    every step has the same number of samples and every rank the same number of batches.

    Args:
        lengths: Tokens of each sample.
        global_batch: Samples of all ranks and accumulated passes in one step; also an attribute.
        seed: Of the order.
    """

    def __init__(self, lengths: Sequence[int], *, global_batch: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self.global_batch = global_batch
        self._seed = seed
        self._epoch = 0

    @property
    def steps(self) -> int:
        """Optimizer steps of one epoch."""
        return -(-len(self._lengths) // self.global_batch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.steps * self.global_batch

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = np.resize(rng.permutation(len(self._lengths)), len(self))
        pool = POOL * self.global_batch
        grouped = [self._by_length(order[start : start + pool]) for start in range(0, len(order), pool)]
        steps = np.concatenate(grouped).reshape(self.steps, self.global_batch)
        yield from (int(number) for number in steps[rng.permutation(self.steps)].ravel())

    def _by_length(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return numbers[np.argsort(self._lengths[numbers], kind="stable")]
