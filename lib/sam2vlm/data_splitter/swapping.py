"""The finish of a stratified split: samples change places as long as that brings the labels' shares nearer.

Iterative stratification decides sample by sample and cannot go back; what it sees last has to go where there is room.
All numbers are whole, so that the same swap is the best one on any machine.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2vlm.data_splitter.units import Unit

__all__ = ["swap_to_balance"]

# Kinds of samples of a split that are compared with those of another: the most promising ones are among them.
_CANDIDATES = 256
# Beyond, products of counts no longer fit 64 bits, and Python's own whole numbers have to serve.
_MOST_FOR_INT64 = 200_000


def swap_to_balance(splits: dict[str, list[Unit]]) -> None:
    """Swap units of one sample between the splits, in place; sizes stay as they are.

    The sum over splits and labels of ``(count - wanted) ** 2 / size`` gets smaller with every swap, so it ends.
    """
    board = _Board(splits)
    improved = True
    while improved:
        improved = False
        for one, other in combinations(splits, 2):
            while board.swap(one, other):
                improved = True
    board.write_back()


class _Board:
    def __init__(self, splits: dict[str, list[Unit]]) -> None:
        self._splits = splits
        everyone = [unit for units in splits.values() for unit in units]
        labels = sorted({label for unit in everyone for label in unit.labels})
        dtype: Any = np.int64 if len(everyone) <= _MOST_FOR_INT64 else object
        kinds = sorted({tuple(sorted(unit.labels)) for unit in everyone})
        self._kind_of = {kind: number for number, kind in enumerate(kinds)}
        self._kinds = np.array([[int(label in kind) for label in labels] for kind in kinds], dtype=dtype)
        self._total = len(everyone)
        self._sizes = {name: len(units) for name, units in splits.items()}
        self._members = {name: self._by_kind(units) for name, units in splits.items()}
        whole = self._counted(everyone)
        # (count - wanted) times the total: whole numbers.
        self._excess = {name: self._counted(units) * self._total - whole * len(units) for name, units in splits.items()}

    def _by_kind(self, units: list[Unit]) -> dict[int, list[Unit]]:
        members: dict[int, list[Unit]] = defaultdict(list)
        for unit in units:
            members[self._kind_of[tuple(sorted(unit.labels))]].append(unit)
        return members

    def _counted(self, units: list[Unit]) -> NDArray[Any]:
        numbers = np.zeros(len(self._kinds), dtype=self._kinds.dtype)
        for unit in units:
            numbers[self._kind_of[tuple(sorted(unit.labels))]] += 1
        counted: NDArray[Any] = numbers @ self._kinds
        return counted

    def swap(self, one: str, other: str) -> bool:
        """Make the best swap between two splits, if there is one that helps."""
        size, other_size = self._sizes[one], self._sizes[other]
        slope = 2 * (self._excess[one] * other_size - self._excess[other] * size)
        gains = self._kinds @ slope
        given = self._promising(one, -gains)
        taken = self._promising(other, gains)
        leaving, coming = self._kinds[given], self._kinds[taken]
        differing = leaving.sum(axis=1)[:, None] + coming.sum(axis=1)[None, :] - 2 * (leaving @ coming.T)
        change = gains[taken][None, :] - gains[given][:, None] + self._total * (size + other_size) * differing
        best = int(np.argmin(change))
        row, column = divmod(best, len(taken))
        if change[row, column] >= 0:
            return False
        self._exchange((one, given[row]), (other, taken[column]))
        return True

    def write_back(self) -> None:
        """Put the units where they belong now."""
        for name, members in self._members.items():
            self._splits[name][:] = [unit for kind in sorted(members) for unit in members[kind]]

    def _promising(self, name: str, cost: NDArray[Any]) -> list[int]:
        there = [kind for kind, units in self._members[name].items() if units]
        return sorted(there, key=lambda kind: (cost[kind], kind))[:_CANDIDATES]

    def _exchange(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        for (name, kind), (target, new) in ((one, other), (other, one)):
            unit = self._members[name][kind].pop()
            self._excess[name] += (self._kinds[new] - self._kinds[kind]) * self._total
            # At the front: the way back takes from the end.
            self._members[target][kind].insert(0, unit)
