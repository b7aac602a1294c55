"""What is moved as one: a single sample, all samples of a video, or all samples of a group of videos."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_splitter.sample_facts import rank
from sam2vlm.data_splitter.split_check import class_counts, group_of
from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["NO_LABEL", "Unit", "leak_notes", "make_units"]

#: Stands for the samples that show nothing, so that they are shared out too; no real label is empty.
NO_LABEL = ""
_LEAK = "Neighbouring frames of a video are in different splits: a {} split of them measures memory, not ability."


@dataclass(frozen=True, eq=False)
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
        DataError: There are fewer groups than splits where groups stay whole.
        SettingsError: A group is given to a video that is not there.
    """
    _check_names(samples, config)
    found: dict[tuple[str, str], list[SampleFacts]] = defaultdict(list)
    for sample in samples:
        found[group_of(sample, config)].append(sample)
    if len(found) < len(SPLITS):
        what = "groups" if config.groups else "videos"
        raise DataError(
            f"a split would be empty: {len(samples)} frames come from too few {what} to keep each whole",
            field="video_id",
            expected=f"at least {len(SPLITS)} {what}, or {'no groups' if config.groups else 'by_video off'}",
            found=len(found),
        )
    units = [_unit(name, members, config.seed) for (_kind, name), members in found.items()]
    return sorted(units, key=lambda unit: (-unit.size, unit.order))


def leak_notes(samples: Sequence[SampleFacts], config: SplitConfig) -> list[str]:
    """Return a warning where frames of one video may be torn apart one by one."""
    frames = Counter(sample.video_id for sample in samples if sample.video_id)
    leaks = not config.keeps_groups and max(frames.values(), default=0) > 1
    return [_LEAK.format(config.strategy)] if leaks else []


def _check_names(samples: Sequence[SampleFacts], config: SplitConfig) -> None:
    # A mistyped name would leave its video outside of its group, and the split would leak without a word.
    known = {sample.video_id for sample in samples} | {sample.sample_id for sample in samples}
    unknown = sorted(set(config.groups) - known)
    if unknown:
        videos = sorted({sample.video_id for sample in samples})
        raise SettingsError(
            "gives a group to a video that is not there",
            field=f"groups.{unknown[0]}",
            expected=f"one of the video ids {', '.join(videos)}" if len(videos) < 10 else "a video id",  # noqa: PLR2004
            found=unknown[0],
        )


def _unit(name: str, members: list[SampleFacts], seed: int) -> Unit:
    labels = class_counts(members)
    bare = sum(not sample.labels for sample in members)
    if bare:
        labels[NO_LABEL] += bare
    return Unit(tuple(members), labels, rank(seed, name))
