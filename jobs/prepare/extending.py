"""From an earlier dataset and new exports to the frames and splits of a new version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jobs.prepare.splitting import Splits, split_frames
from sam2vlm.annotations.joined_frames import JoinedFrames, PickedFrames
from sam2vlm.artifacts import digest_of_value
from sam2vlm.data_converter.dataset_versions import ALREADY_THERE, BETWEEN_SPLITS, REPLACED, extend_dataset
from sam2vlm.data_converter.earlier_dataset import open_earlier
from sam2vlm.data_splitter import SPLITS, make_splitter
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.dataset_versions import NewVersion
    from sam2vlm.data_converter.earlier_dataset import EarlierDataset
    from sam2vlm.data_converter.export_set import ExportSet
    from sam2vlm.data_splitter import Splitter

__all__ = ["Extension", "extend"]

_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Extension:
    """A new version of a dataset.

    Attributes:
        earlier: What it extends.
        version: What of both is in it, and where.
        exports: The new exports, with all frames of the new version in place of their own.
    """

    earlier: EarlierDataset
    version: NewVersion
    exports: ExportSet

    @property
    def not_taken(self) -> dict[str, int]:
        """Frames that the new version has in another form or already, by reason."""
        found = self.version.dropped
        return {reason: len(found[reason]) for reason in (ALREADY_THERE, REPLACED) if reason in found}

    @property
    def number(self) -> int:
        """Which version it is; the first one extends nothing."""
        return int(self.earlier.manifest.facts.get("version", {}).get("number", 1)) + 1

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says about it."""
        return {
            "number": self.number,
            "extends": self.earlier.digest,
            "known_videos": dict(sorted(self.version.changes.known_videos.items())),
            **self.version.changes.counts(),
            "between_splits": len(self.version.dropped.get(BETWEEN_SPLITS, ())),
            "general_left": _general(self.earlier),
        }

    def split(self, splitter: Splitter, *, source: Path | str) -> Splits:
        """Split the frames of new videos by the settings; all others are where the earlier version has them.

        Args:
            splitter: See :func:`jobs.prepare.splitting.frame_splitter`.
            source: The exports, for the message.
        """
        version = self.version
        parts: dict[str, list[Sequence[Frame]]] = {
            split: [PickedFrames(version.frames, version.splits.get(split, ()))] for split in SPLITS
        }
        dropped: dict[str, Sequence[Frame]] = {
            reason: PickedFrames(version.frames, rows)
            for reason, rows in version.dropped.items()
            if reason == BETWEEN_SPLITS
        }
        decided = sum(map(len, version.splits.values()))
        notes = [f"{decided} frames have the split that they or their neighbours have in the earlier version."]
        config = splitter.config
        if version.undecided:
            found = self._split_new(splitter, PickedFrames(version.frames, version.undecided), source)
            config = found.config
            notes += found.notes
            for split in SPLITS:
                parts[split].append(found.frames[split])
            for reason, frames in found.dropped.items():
                dropped[reason] = JoinedFrames([*([dropped[reason]] if reason in dropped else []), frames])
        joined = {split: _in_order(JoinedFrames([part for part in parts[split] if len(part)])) for split in SPLITS}
        check = make_splitter(config).validate_split(joined["train"], joined["val"], joined["test"])
        return Splits(frames=joined, dropped=dropped, notes=(*notes, *check["issues"]), check=check, config=config)

    def _split_new(self, splitter: Splitter, frames: Sequence[Frame], source: Path | str) -> Splits:
        try:
            return split_frames(
                frames, splitter, source=source, videos=self.exports.videos, same_video=self.exports.same_video
            )
        except DataError as error:
            # Too little to be split by itself is no fault of something that is added to a dataset.
            empty: Mapping[str, Sequence[Frame]] = dict.fromkeys(SPLITS, ())
            return Splits(
                frames={**empty, "train": frames},
                dropped={},
                notes=(f"{len(frames)} frames of new videos are in train as a whole: {error.message}.",),
                check={},
                config=splitter.config,
            )


def _general(earlier: EarlierDataset) -> int:
    """Return how many conversations from general data the earlier dataset has; they are no frames of its own."""
    return int(earlier.manifest.facts.get("instructions", {}).get("general", {}).get("used", 0))


def _in_order(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return the frames by video and index, so that it does not matter in how many steps a dataset grew."""
    keys = [(frame.video_id, frame.frame_index) for frame in frames]
    return PickedFrames(frames, sorted(range(len(keys)), key=keys.__getitem__))


def extend(exports: ExportSet, folder: Path) -> Extension:
    """Add exports to an earlier dataset.

    Args:
        exports: The new ones.
        folder: The earlier prepare's; it is only read.

    Raises:
        DataError: The earlier dataset is unfinished or was changed since, or a picture cannot be read.
    """
    earlier = open_earlier(folder)
    version = extend_dataset(earlier, exports.frames)
    absent = {row for reason in (ALREADY_THERE, REPLACED) for row in version.dropped.get(reason, ())}
    present = [row for row in range(len(version.frames)) if row not in absent]
    note = (
        f"This extends an earlier dataset of {len(earlier.frames)} frames; its exports were checked when they came, so "
        "the files' own boxes and areas are known of the new ones only."
    )
    notes = [note]
    if general := _general(earlier):
        notes.append(
            f"The earlier dataset's conversations from general data, {general} of them, are not carried over; set "
            "instructions.general_data to mix some in again."
        )
    dialects = {*str(earlier.manifest.facts.get("dialect", "")).split("+"), *exports.metadata.dialect.split("+")}
    metadata = replace(
        exports.metadata,
        # Of one video no more, whatever the new exports are of.
        video_id=digest_of_value([earlier.digest, exports.metadata.video_id])[:_ID_DIGITS],
        filename=None,
        total_frames=None,
        duration_sec=None,
        frame_indices=(),
        dialect="+".join(sorted(dialects - {"", "none"})) or "none",
        notes=(*exports.metadata.notes, *notes),
    )
    return Extension(
        earlier=earlier,
        version=version,
        exports=replace(exports, frames=_in_order(PickedFrames(version.frames, present)), metadata=metadata),
    )
