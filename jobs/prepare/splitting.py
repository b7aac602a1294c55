"""From the frames and the settings to train, val and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_splitter import SPLITS, SplitConfig, make_splitter
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.settings import SplitSettings
    from sam2vlm.annotations import Frame
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
    """

    frames: Mapping[str, Sequence[Frame]]
    dropped: Mapping[str, Sequence[Frame]]
    notes: Sequence[str]
    check: Mapping[str, Any]


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
                gap_sec=settings.gap_sec,
            )
        )
    except SettingsError as error:
        raise error.with_source("SAM2VLM_SPLIT") from None


def split_frames(frames: Sequence[Frame], splitter: Splitter, *, source: Path) -> Splits:
    """Split an export's frames.

    Args:
        frames: All that can be used.
        splitter: See :func:`frame_splitter`.
        source: The export, for the message.

    Raises:
        DataError: A split would be empty.
    """
    try:
        result = splitter.split(frames)
    except DataError as error:
        raise error.with_source(source) from None
    check = splitter.validate_split(*result)
    return Splits(
        frames=dict(zip(SPLITS, result, strict=True)),
        dropped=result.dropped,
        notes=(*check["issues"], *result.notes),
        check=check,
    )
