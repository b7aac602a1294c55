"""The order of packed rows: whole samples, shared out within stretches of a random order so that rows are even."""

from __future__ import annotations

import bisect
import heapq
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.trainers.sampling import StepSampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["PackedSampler"]

# Samples, about, that are shared out together. More makes rows more even, and leaves less to chance.
STRETCH = 128


class PackedSampler(StepSampler):
    """Yields rows of sample numbers.

    Each epoch packs its samples anew. A stretch of its random order has as few rows as hold it where each sample, the
    longest first, goes to the row that is shortest so far (Graham 1969): rows of even length need less to fill them up
    than full ones beside those that are left over. All epochs take as many steps as the one that needs most, with a
    row more here and there until they are whole, so that each sample comes once an epoch; only where a step has more
    rows than there are samples do rows come again.

    Args:
        lengths: Tokens of each sample; none more than a row's.
        row_tokens: Most of a row.
        epochs: How many there will be.
        others: Of :class:`sam2vlm.trainers.sampling.StepSampler`.
    """

    def __init__(self, lengths: Sequence[int], *, row_tokens: int, epochs: int, **others: Any) -> None:
        super().__init__(lengths, **others)
        self._row_tokens = row_tokens
        rows = max(sum(map(self._least_rows, self._stretches(self._random(epoch)))) for epoch in range(epochs))
        self._steps = -(-rows // self._global_batch)

    @property
    def steps(self) -> int:
        """Optimizer steps of one epoch."""
        return self._steps

    @property
    def samples_per_step(self) -> float:
        """Samples of all ranks in one step, on average."""
        return max(len(self._lengths), len(self)) / self._steps

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        rng = self._random(self._epoch)
        stretches = self._stretches(rng)
        counts = self._spread([self._least_rows(numbers) for numbers in stretches], stretches)
        shared = [self._shared(numbers, count) for numbers, count in zip(stretches, counts, strict=True)]
        rows, lengths = [row for part, _ in shared for row in part], np.concatenate([of_rows for _, of_rows in shared])
        order = np.resize(rng.permutation(len(rows)), len(self))
        for number in self._steps_by_length(order, lengths, rng):
            yield tuple(rows[number])

    def _stretches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Cut an epoch's random order; within a stretch the longest come first."""
        order = rng.permutation(len(self._lengths))
        stretches = np.array_split(order, max(1, len(order) // STRETCH))
        return [numbers[np.argsort(-self._lengths[numbers], kind="stable")] for numbers in stretches]

    def _least_rows(self, numbers: NDArray[np.int64]) -> int:
        """Return in how many rows a stretch fits; more rows are never longer."""

        def fits(count: int) -> bool:
            _, lengths = self._shared(numbers, count)
            return bool(lengths.max() <= self._row_tokens)

        least = -(-int(self._lengths[numbers].sum()) // self._row_tokens)
        return least + bisect.bisect_left(range(least, len(numbers)), 1, key=fits)

    def _spread(self, counts: list[int], stretches: list[NDArray[np.int64]]) -> list[int]:
        """Add rows until the steps are whole, each to the stretch whose rows are longest."""
        counts = list(counts)
        for _ in range(min(len(self), len(self._lengths)) - sum(counts)):
            means = [
                self._lengths[numbers].sum() / count if count < len(numbers) else 0.0
                for numbers, count in zip(stretches, counts, strict=True)
            ]
            counts[int(np.argmax(means))] += 1
        return counts

    def _shared(self, numbers: NDArray[np.int64], count: int) -> tuple[list[list[int]], NDArray[np.int64]]:
        """Share a stretch out to so many rows, none of them empty; return them and their lengths."""
        rows: list[list[int]] = [[] for _ in range(count)]
        shortest = [(0, row) for row in range(count)]
        for number, length in zip(numbers.tolist(), self._lengths[numbers].tolist(), strict=True):
            filled, row = shortest[0]
            rows[row].append(number)
            heapq.heapreplace(shortest, (filled + length, row))
        return rows, np.array([filled for filled, _ in sorted(shortest, key=lambda entry: entry[1])])
