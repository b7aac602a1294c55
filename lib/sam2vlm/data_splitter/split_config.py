"""How samples shall be split, and what comes of it."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["SPLITS", "SplitConfig", "SplitResult", "SplitStrategy"]

Sample = TypeVar("Sample")

#: The names of the splits, in their order.
SPLITS = ("train", "val", "test")


class SplitStrategy(enum.StrEnum):
    """What decides where a sample goes."""

    AUTO = "auto"
    STRATIFIED = "stratified"
    TEMPORAL = "temporal"
    RANDOM = "random"


@dataclass(frozen=True)
class SplitConfig:
    """How to split.

    Attributes:
        strategy: ``STRATIFIED`` gives each split the same share of every label, ``TEMPORAL`` cuts each video into
            blocks of time, ``RANDOM`` looks at nothing, ``AUTO`` looks where the samples come from and chooses
            (:class:`sam2vlm.data_splitter.AutoSplitter`).
        train_ratio: Share of the samples, above 0; the three add up to 1.
        val_ratio: Likewise.
        test_ratio: Likewise.
        seed: Of every choice that is left open; TEMPORAL has none.
        by_video: Keep each video whole, in one split. Not for TEMPORAL, which cuts videos.
        groups: Name of the group of a video, by video id, or of a single sample, by sample id. A group stays whole,
            in one split, and so does each video that is not named here. Not for TEMPORAL.
        same_video: Ids of videos that show what another one shows, each with that one's id; both are split as one.
        gap_sec: TEMPORAL drops the samples that are nearer than this to a border, on both of its sides.

    Raises:
        SettingsError: The ratios do not add up, or a value is impossible.
    """

    strategy: SplitStrategy = SplitStrategy.STRATIFIED
    train_ratio: float = 0.8
    val_ratio: float = 0.1
    test_ratio: float = 0.1
    seed: int = 42
    by_video: bool = False
    groups: Mapping[str, str] = field(default_factory=dict)
    same_video: Mapping[str, str] = field(default_factory=dict)
    gap_sec: float = 1.0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "strategy", SplitStrategy(self.strategy))
        except ValueError:
            known = ", ".join(SplitStrategy)
            raise SettingsError("no such strategy", field="strategy", expected=known, found=self.strategy) from None
        for name, ratio in zip(SPLITS, self.ratios, strict=True):
            if not 0 < ratio < 1:
                raise SettingsError(
                    "an empty split is never valid", field=f"{name}_ratio", expected="between 0 and 1", found=ratio
                )
        # Sums like 0.7 + 0.2 + 0.1 are off by a rounding error.
        if not math.isclose(sum(self.ratios), 1.0, abs_tol=1e-6):
            raise SettingsError("the ratios do not add up", expected="1", found=f"{sum(self.ratios):.6g}")
        if not 0 <= self.gap_sec < math.inf:
            raise SettingsError("out of range", field="gap_sec", expected="0 or more seconds", found=self.gap_sec)
        if self.keeps_groups and self.strategy is SplitStrategy.TEMPORAL:
            raise SettingsError(
                "contradicts the temporal strategy, which cuts each video",
                field="by_video" if self.by_video else "groups",
                expected="the strategy auto, stratified or random",
                found="temporal",
            )

    @property
    def keeps_groups(self) -> bool:
        """Whether videos, or groups of them, stay whole."""
        return self.by_video or bool(self.groups)

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Train, val, test."""
        return self.train_ratio, self.val_ratio, self.test_ratio


@dataclass(frozen=True)
class SplitResult(Generic[Sample]):
    """The splits; ``train, val, test = result`` unpacks them.

    The samples are the caller's own, each list by video, frame index and sample id. Of a sequence that can give a
    ``view`` of itself (:class:`sam2vlm.annotations.FrameStore`) they are such views.

    Attributes:
        train: To learn from.
        val: To choose the best checkpoint with.
        test: To measure with.
        config: What was really done; where AUTO was asked for, its strategy is the one that was chosen.
        dropped: Samples in no split, by reason (``split_gap``).
        notes: What a reader of the report should know, as sentences.
    """

    train: Sequence[Sample]
    val: Sequence[Sample]
    test: Sequence[Sample]
    config: SplitConfig
    dropped: dict[str, Sequence[Sample]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Sequence[Sample]]:
        yield from (self.train, self.val, self.test)
