"""The strategy for people who have not thought about it: what the samples themselves ask for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from sam2vlm.data_splitter.split_config import SPLITS, SplitStrategy
from sam2vlm.data_splitter.splitter import Assignment, Splitter
from sam2vlm.data_splitter.stratified_splitter import StratifiedSplitter
from sam2vlm.data_splitter.temporal_splitter import TemporalSplitter

if TYPE_CHECKING:
    from sam2vlm.data_splitter.sample_facts import SampleFacts

__all__ = ["AutoSplitter"]


class AutoSplitter(Splitter):
    """Chooses by where the samples come from, and says why; it never tears near-copies apart by itself.

    - Groups are asked for (``by_video``, ``groups``): stratified, each group whole.
    - Frames of a video, most of them in videos long enough to be cut: temporal.
    - Frames of many short videos: stratified, each video whole.
    - No two frames of one video: stratified.
    """

    def _assign(self, samples: list[SampleFacts]) -> tuple[Assignment, list[str]]:
        return self._chosen(samples)[0]._assign(samples)  # noqa: SLF001  of the same kind as self

    def _chosen(self, samples: list[SampleFacts]) -> tuple[Splitter, list[str]]:
        stratified = StratifiedSplitter(replace(self.config, strategy=SplitStrategy.STRATIFIED))
        if self.config.keeps_groups:
            kept = "groups" if self.config.groups else "videos"
            return stratified, [f"auto chose stratified over whole {kept}: they are asked to stay whole."]
        videos = _videos(samples)
        if not videos:
            return stratified, ["auto chose stratified: no two samples are of one video."]
        temporal = TemporalSplitter(replace(self.config, strategy=SplitStrategy.TEMPORAL))
        here = "one video" if len(videos) == 1 else f"{len(videos)} videos"
        frames = sum(map(len, videos.values()))
        uncut = sum(len(found) for found in videos.values() if not temporal.can_cut(found))
        if 2 * uncut > frames and len({sample.video_id for sample in samples}) >= len(SPLITS):
            whole = StratifiedSplitter(replace(stratified.config, by_video=True))
            why = f"{uncut} of the {frames} frames are in videos too short to be cut with gaps"
            return whole, [f"auto chose stratified over whole videos: the frames come from {here}, and {why}."]
        return temporal, [f"auto chose temporal: the frames come from {here}, where neighbours are near-copies."]


def _videos(samples: list[SampleFacts]) -> dict[str, list[SampleFacts]]:
    """Return the samples of each video that has several frames.

    Equal times do not make them pictures of no video: an exporter that has lost the times writes one for all.
    """
    found: dict[str, list[SampleFacts]] = defaultdict(list)
    for sample in samples:
        if sample.video_id:
            found[sample.video_id].append(sample)
    return {name: members for name, members in found.items() if len({_moment(member) for member in members}) > 1}


def _moment(sample: SampleFacts) -> tuple[int, float | None]:
    return sample.frame_index, sample.timestamp_sec
