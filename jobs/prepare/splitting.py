"""From the frames and the settings to train, val and test."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sam2vlm.data_splitter import SPLITS, SplitConfig, make_splitter
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.settings import SplitSettings
    from sam2vlm.annotations import Frame, VideoMetadata
    from sam2vlm.data_splitter import Splitter

__all__ = ["Splits", "frame_splitter", "split_frames"]


@dataclass(frozen=True, slots=True)
class Splits:
    """The frames of each split.

    Attributes:
        frames: By split (``train``, ``val``, ``test``), in the video's order.
        dropped: Frames in no split, by reason.
        notes: What the splitter has to say, as sentences.
        check: Of ``Splitter.validate_split``, with the shares of every label in every split.
        config: What was done; where the setting is ``auto``, its strategy is the one that was chosen.
    """

    frames: Mapping[str, Sequence[Frame]]
    dropped: Mapping[str, Sequence[Frame]]
    notes: Sequence[str]
    check: Mapping[str, Any]
    config: SplitConfig

    @property
    def whole(self) -> str | None:
        """What was kept whole: groups, videos, or nothing."""
        return "groups" if self.config.groups else "videos" if self.config.by_video else None

    def facts(self) -> dict[str, Any]:
        """Return how it was split, for the manifest."""
        return {
            "strategy": self.config.strategy.value,
            "whole": self.whole,
            "is_valid": self.check["is_valid"],
            "class_shares": self.check["class_shares"],
        }


def frame_splitter(settings: SplitSettings, seed: int) -> Splitter:
    """Return the splitter that the settings ask for.

    Raises:
        SettingsError: The ratios do not add up, or two settings contradict each other.
    """
    try:
        return make_splitter(
            SplitConfig(
                strategy=settings.strategy,
                train_ratio=settings.train_ratio,
                val_ratio=settings.val_ratio,
                test_ratio=settings.test_ratio,
                seed=seed,
                by_video=settings.by_video,
                groups=settings.groups,
                gap_sec=settings.gap_sec,
            )
        )
    except SettingsError as error:
        raise error.with_source("SAM2VLM_SPLIT") from None


def split_frames(
    frames: Sequence[Frame],
    splitter: Splitter,
    *,
    source: Path | str,
    videos: Sequence[VideoMetadata] = (),
    same_video: Mapping[str, str] | None = None,
) -> Splits:
    """Split an export's frames.

    Args:
        frames: All that can be used.
        splitter: See :func:`frame_splitter`.
        source: The export, for the message.
        videos: What is known of the frames' videos; by their file names people know them.
        same_video: Ids of videos that show what another one shows, each with that one's id.

    Raises:
        DataError: A split would be empty.
        SettingsError: A group is given to a video that is not there.
    """
    same = dict(same_video or {})
    groups = {same.get(name, name): group for name, group in _groups_by_id(splitter.config.groups, videos).items()}
    splitter = make_splitter(replace(splitter.config, groups=groups, same_video=same))
    try:
        result = splitter.split(frames)
    except DataError as error:
        raise error.with_source(source) from None
    except SettingsError as error:
        raise error.with_source("SAM2VLM_SPLIT") from None
    check = make_splitter(result.config).validate_split(*result)
    return Splits(
        frames=dict(zip(SPLITS, result, strict=True)),
        dropped=result.dropped,
        notes=(*check["issues"], *result.notes, *(note for note in check["notes"] if note not in result.notes)),
        check=check,
        config=result.config,
    )


def _groups_by_id(groups: Mapping[str, str], videos: Sequence[VideoMetadata]) -> dict[str, str]:
    """Return the groups by video id; names that no video has stay, for the splitter to refuse."""
    ids: dict[str, list[str]] = defaultdict(list)
    for video in videos:
        if video.filename:
            ids[video.filename].append(video.video_id)
    return {video_id: group for name, group in groups.items() for video_id in ids.get(name, [name])}
