"""Splits in which every label has the same share.

Iterative stratification over all labels of a sample: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification
of Multi-Label Data", ECML PKDD 2011. The rarest label is shared out first, because it has the fewest places to go.
``docs/decisions/0013-own-stratification.md`` says what was measured against the libraries that do this.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.data_splitter.moving import move_to_balance
from sam2vlm.data_splitter.sample_facts import rank
from sam2vlm.data_splitter.split_config import SPLITS
from sam2vlm.data_splitter.splitter import Assignment, Splitter, exact_sizes
from sam2vlm.data_splitter.swapping import swap_to_balance
from sam2vlm.data_splitter.units import Unit, leak_notes, make_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["StratifiedSplitter"]


class StratifiedSplitter(Splitter):
    """Gives each split the same share of every label, over all labels of a sample."""

    def _assign(self, samples: list[SampleFacts]) -> tuple[Assignment, list[str]]:
        units = make_units(samples, self.config)
        wanted = dict(zip(SPLITS, exact_sizes(len(samples), self.config.ratios), strict=True))
        return _Stratification(units, wanted, self.config.seed).run(), leak_notes(samples, self.config)


@dataclass
class _Need:
    """What one split still wants."""

    samples: float
    labels: dict[str, float]
    units: list[Unit] = field(default_factory=list)

    def take(self, unit: Unit) -> None:
        self.units.append(unit)
        self.samples -= unit.size
        for label, count in unit.labels.items():
            self.labels[label] -= count


class _Stratification:
    def __init__(self, units: Sequence[Unit], wanted: dict[str, int], seed: int) -> None:
        total = sum(unit.size for unit in units)
        labels = sum((unit.labels for unit in units), Counter[str]())
        self._needs = {
            name: _Need(size, {label: count * size / total for label, count in labels.items()})
            for name, size in wanted.items()
        }
        self._sizes = wanted
        self._seed = seed
        # Insertion order keeps the units' order; a dict forgets one in constant time.
        self._left: dict[str, dict[int, Unit]] = defaultdict(dict)
        for number, unit in enumerate(units):
            for label in unit.labels:
                self._left[label][number] = unit

    def run(self) -> Assignment:
        while self._left:
            label = min(self._left, key=lambda name: (len(self._left[name]), rank(self._seed, name)))
            for number, unit in list(self._left[label].items()):
                self._needs[self._best(label, unit)].take(unit)
                self._forget(number, unit)
        _fill_empty(list(self._needs.values()))
        splits = {name: need.units for name, need in self._needs.items()}
        if all(unit.size == 1 for units in splits.values() for unit in units):
            swap_to_balance(splits)
        else:
            move_to_balance(splits, self._sizes)
        return {name: [sample for unit in units for sample in unit.samples] for name, units in splits.items()}

    def _forget(self, number: int, unit: Unit) -> None:
        for label in unit.labels:
            del self._left[label][number]
            if not self._left[label]:
                del self._left[label]

    def _best(self, label: str, unit: Unit) -> str:
        """Return the split that wants the label most; one that is full takes no more."""
        room = [name for name, need in self._needs.items() if need.samples >= unit.size]
        # A large video may fit nowhere: then it goes where most is wanted.
        names = room or [max(self._needs, key=lambda name: self._needs[name].samples)]
        return max(names, key=lambda name: self._urgency(name, label, unit))

    def _urgency(self, name: str, label: str, unit: Unit) -> tuple[float, float, float, bytes]:
        need = self._needs[name]
        # Rounded, so that sums of thirds that differ in their last bit are ties on any machine.
        others = sum(need.labels[other] for other in unit.labels if other != label)
        return (
            round(need.labels[label], 9),
            round(others, 9),
            round(need.samples, 9),
            rank(self._seed, f"{name}/{unit.order.hex()}"),
        )


def _fill_empty(needs: list[_Need]) -> None:
    """Give a split that got nothing the smallest unit of the one with the most units."""
    for need in needs:
        if not need.units:
            donor = max(needs, key=lambda other: len(other.units))
            need.units.append(donor.units.pop(min(range(len(donor.units)), key=lambda at: donor.units[at].size)))
