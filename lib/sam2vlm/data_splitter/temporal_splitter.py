"""Splits by time: each video is cut into one block for train, one for val and one for test, in this order."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING

from sam2vlm.data_splitter.split_config import SPLITS
from sam2vlm.data_splitter.splitter import Assignment, Splitter
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["SPLIT_GAP", "TemporalSplitter"]

#: The reason of samples that are too near to a border.
SPLIT_GAP = "split_gap"


class TemporalSplitter(Splitter):
    """Cuts each video into contiguous blocks, with a gap on both sides of every border.

    The blocks' lengths keep the ratios after the gaps are taken out. A pause in which no frame was exported counts for
    no more than two gaps: a block that lies in one would be an empty split. A video that is too short to be cut goes
    to train as a whole, and a note says so.
    """

    def _assign(self, samples: list[SampleFacts]) -> tuple[Assignment, list[str]]:
        videos: dict[str, list[SampleFacts]] = defaultdict(list)
        for sample in samples:
            videos[sample.video_id].append(sample)
        assigned: Assignment = {name: [] for name in (*SPLITS, SPLIT_GAP)}
        short = []
        for name in sorted(videos):
            blocks = self._blocks(_timed(videos[name]))
            if all(blocks[split] for split in SPLITS):
                for reason, found in blocks.items():
                    assigned[reason] += found
            else:
                assigned["train"] += videos[name]
                short.append(name)
        if len(short) == len(videos):
            raise self._too_short(samples, _timed(videos[max(short, key=lambda name: len(videos[name]))]))
        return assigned, [f"{_named(name)} is too short to be cut and is in train as a whole." for name in short]

    def can_cut(self, samples: Sequence[SampleFacts]) -> bool:
        """Return whether a video's samples are told in time and last long enough for three blocks and their gaps."""
        if any(sample.timestamp_sec is None for sample in samples):
            return False
        blocks = self._blocks(_timed(samples))
        return all(blocks[split] for split in SPLITS)

    def _blocks(self, timed: Sequence[tuple[float, SampleFacts]]) -> Assignment:
        gap = self.config.gap_sec
        timed = _without_pauses(timed, longest=2 * gap)
        begin = timed[0][0] - _spacing(timed) / 2
        length = timed[-1][0] + _spacing(timed) / 2 - begin
        kept = max(length - 4 * gap, 0.0)
        train_end = begin + kept * self.config.train_ratio
        val_begin = train_end + 2 * gap
        val_end = val_begin + kept * self.config.val_ratio
        test_begin = val_end + 2 * gap
        blocks: Assignment = {name: [] for name in (*SPLITS, SPLIT_GAP)}
        for second, sample in timed:
            if second < train_end:
                blocks["train"].append(sample)
            elif val_begin <= second < val_end:
                blocks["val"].append(sample)
            elif second >= test_begin:
                blocks["test"].append(sample)
            else:
                blocks[SPLIT_GAP].append(sample)
        return blocks

    def _too_short(self, samples: list[SampleFacts], timed: Sequence[tuple[float, SampleFacts]]) -> DataError:
        timed = _without_pauses(timed, longest=2 * self.config.gap_sec)
        length = timed[-1][0] - timed[0][0]
        if length == 0 and len(timed) > 1:
            return DataError(
                f"cannot be cut in time: the {len(timed)} frames of the longest video have one time",
                field="timestamp_sec",
                expected="times that tell neighbours apart; for pictures of no video, split.strategy stratified",
                found=f"{timed[0][0]:g} s in each",
            )
        needed = 4 * self.config.gap_sec + _spacing(timed) / min(self.config.ratios)
        return DataError(
            f"a split would be empty: there are {len(samples)} frames, and the longest video lasts {length:.1f} s",
            field="timestamp_sec",
            expected=f"a video of about {needed:.1f} s, as {self.config.gap_sec:g} s are left out on both sides of"
            " two borders, or a smaller gap_sec",
            found=f"{length:.1f} s",
        )


def _timed(samples: Sequence[SampleFacts]) -> list[tuple[float, SampleFacts]]:
    timed = [(_second(sample), sample) for sample in samples]
    return sorted(timed, key=lambda pair: (pair[0], pair[1].frame_index, pair[1].sample_id))


def _without_pauses(timed: Sequence[tuple[float, SampleFacts]], *, longest: float) -> list[tuple[float, SampleFacts]]:
    """Return the samples on a clock that stands still in long pauses, in the same order.

    No two samples are further apart on it than in truth, so whatever keeps a gap on it keeps the gap.

    Args:
        timed: Sorted by time.
        longest: What counts of a longer pause, seconds; never less than twice the usual time between two samples.
    """
    steps = [later[0] - earlier[0] for earlier, later in pairwise(timed)]
    usual = median(step for step in steps if step > 0) if any(steps) else 0.0
    most = max(longest, 2 * usual)
    if max(steps, default=0.0) <= most:
        return [*timed]
    clock = accumulate((min(step, most) for step in steps), initial=timed[0][0])
    return [(second, sample) for second, (_, sample) in zip(clock, timed, strict=True)]


def _second(sample: SampleFacts) -> float:
    if sample.timestamp_sec is None:
        raise DataError(
            "a temporal split needs the time of every frame",
            source=sample.sample_id,
            field="timestamp_sec",
            expected="seconds",
            found="nothing",
        )
    return sample.timestamp_sec


def _spacing(timed: Sequence[tuple[float, SampleFacts]]) -> float:
    """Return the mean time between neighbours: each frame stands for that much of the video."""
    seconds = [second for second, _ in timed]
    return (max(seconds) - min(seconds)) / max(len(seconds) - 1, 1)


def _named(video: str) -> str:
    return f"The video {video}" if video else "The video"
