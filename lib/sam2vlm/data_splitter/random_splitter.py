"""Splits that look at nothing but the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_splitter.split_config import SPLITS
from sam2vlm.data_splitter.splitter import Assignment, Splitter, exact_sizes
from sam2vlm.data_splitter.units import leak_notes, make_units

if TYPE_CHECKING:
    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["RandomSplitter"]


class RandomSplitter(Splitter):
    """Shuffles by the seed and cuts; neighbouring frames of one video land on both sides, unless videos stay whole."""

    def _assign(self, samples: list[SampleFacts]) -> tuple[Assignment, list[str]]:
        units = sorted(make_units(samples, self.config), key=lambda unit: unit.order)
        assigned: Assignment = {}
        begin = 0
        for name, size in zip(SPLITS, exact_sizes(len(units), self.config.ratios), strict=True):
            assigned[name] = [sample for unit in units[begin : begin + size] for sample in unit.samples]
            begin += size
        return assigned, leak_notes(samples, self.config)
