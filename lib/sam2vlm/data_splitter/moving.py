"""The finish of a stratified split over groups: groups move or change places as long as that helps.

Groups differ in size, so that the one number that a swap of single samples leaves alone, how many samples a split
has, counts here as one more label. All numbers are whole, so that the same move is the best one on any machine.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sam2vlm.data_splitter.units import Unit

__all__ = ["move_to_balance"]

# Pairs of groups that are compared at a time; beyond, there are so many groups that moves alone do.
_MOST_PAIRS = 40_000


def move_to_balance(splits: dict[str, list[Unit]], wanted: Mapping[str, int]) -> None:
    """Move and swap groups between the splits, in place, as long as the shares get nearer; none gets empty.

    The sum over splits and labels (and the size) of ``((count - wanted) / size) ** 2`` gets smaller with every step,
    so it ends.

    Args:
        splits: The groups of each split.
        wanted: How many samples each split shall have.
    """
    board = _Board(splits, wanted)
    while board.step():
        pass


class _Board:
    def __init__(self, splits: dict[str, list[Unit]], wanted: Mapping[str, int]) -> None:
        self._splits = splits
        everyone = [unit for units in splits.values() for unit in units]
        self._labels = sorted({label for unit in everyone for label in unit.labels})
        whole = self._rows(everyone).sum(axis=0)
        self._total: int = whole[0]
        # (count - wanted) times the total, and the weight that makes a share of it: whole numbers.
        self._excess = {
            name: self._rows(units).sum(axis=0) * self._total - whole * wanted[name] for name, units in splits.items()
        }
        product = int(np.prod([wanted[name] for name in splits], dtype=object))
        self._weight = {name: (product // wanted[name]) ** 2 for name in splits}

    def _rows(self, units: list[Unit]) -> NDArray[Any]:
        """Size and count of each label, one row a group; Python's own whole numbers, which have no end."""
        rows = [[unit.size, *(unit.labels[label] for label in self._labels)] for unit in units]
        return np.array(rows, dtype=object).reshape(len(units), len(self._labels) + 1)

    def step(self) -> bool:
        """Make the best move or swap, if there is one that helps."""
        best: tuple[int, str, str, int, int | None] | None = None
        for giver, taker in permutations(self._splits, 2):
            for change, row, column in self._changes(giver, taker):
                if change < 0 and (best is None or change < best[0]):
                    best = change, giver, taker, row, column
        if best is None:
            return False
        _change, giver, taker, row, column = best
        given = self._splits[giver].pop(row)
        taken = [] if column is None else [self._splits[taker].pop(column)]
        self._splits[taker].append(given)
        self._splits[giver] += taken
        moved = (self._rows([given]).sum(axis=0) - self._rows(taken).sum(axis=0)) * self._total
        self._excess[giver] = self._excess[giver] - moved
        self._excess[taker] = self._excess[taker] + moved
        return True

    def _changes(self, giver: str, taker: str) -> list[tuple[int, int, int | None]]:
        """Return the best move from one split to another and the best swap between the two."""
        given, taken = self._rows(self._splits[giver]), self._rows(self._splits[taker])
        slope = 2 * (self._weight[taker] * self._excess[taker] - self._weight[giver] * self._excess[giver])
        curve = self._total * (self._weight[giver] + self._weight[taker])
        leaving, coming = given @ slope, taken @ slope
        lengths, other_lengths = (given * given).sum(axis=1), (taken * taken).sum(axis=1)
        found: list[tuple[int, int, int | None]] = []
        if len(given) > 1:
            moves = leaving + curve * lengths
            row = int(moves.argmin())
            found.append((moves[row], row, None))
        if len(given) * len(taken) <= _MOST_PAIRS:
            apart = lengths[:, None] + other_lengths[None, :] - 2 * (given @ taken.T)
            swaps = leaving[:, None] - coming[None, :] + curve * apart
            row, column = divmod(int(swaps.argmin()), len(taken))
            found.append((swaps[row, column], row, column))
        return found
