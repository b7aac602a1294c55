"""What is moved as one: a single sample, or all samples of a video."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_splitter.sample_facts import rank
from sam2vlm.data_splitter.split_check import class_counts
from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["NO_LABEL", "Unit", "make_units"]

#: Stands for the samples that show nothing, so that they are shared out too; no real label is empty.
NO_LABEL = ""


@dataclass(frozen=True)
class Unit:
    """One unit.

    Attributes:
        samples: At least one.
        labels: In how many of the samples each label is.
        order: Sort key, as good as random.
    """

    samples: tuple[SampleFacts, ...]
    labels: Counter[str]
    order: bytes

    @property
    def size(self) -> int:
        """How many samples."""
        return len(self.samples)


def make_units(samples: Sequence[SampleFacts], config: SplitConfig) -> list[Unit]:
    """Return the units, the largest first and equally large ones in the seed's order.

    Raises:
        DataError: There are fewer videos than splits where videos stay whole.
    """
    groups: dict[str, list[SampleFacts]] = defaultdict(list)
    for sample in samples:
        groups[sample.video_id if config.by_video else sample.sample_id].append(sample)
    if len(groups) < len(SPLITS):
        raise DataError(
            f"a split would be empty: {len(samples)} frames come from too few videos to keep each whole",
            field="video_id",
            expected=f"at least {len(SPLITS)} videos, or by_video off",
            found=len(groups),
        )
    units = [_unit(name, members, config.seed) for name, members in groups.items()]
    return sorted(units, key=lambda unit: (-unit.size, unit.order))


def _unit(name: str, members: list[SampleFacts], seed: int) -> Unit:
    labels = class_counts(members)
    bare = sum(not sample.labels for sample in members)
    if bare:
        labels[NO_LABEL] += bare
    return Unit(tuple(members), labels, rank(seed, name))
