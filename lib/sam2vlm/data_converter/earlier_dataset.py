"""A dataset that an earlier run of prepare wrote, as frames again. It is only read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import Frame, Mask, ObjectAnnotation
from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.artifacts import digest_of_file, read_manifest, verify_outputs
from sam2vlm.data_converter.instructions import GENERAL
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sam2vlm.artifacts import Manifest

__all__ = ["EarlierDataset", "find_earlier", "open_earlier"]

_PHASE = "prepare"


@dataclass(frozen=True, slots=True)
class EarlierDataset:
    """The frames of an earlier version.

    Attributes:
        digest: Of its manifest, by which it is known.
        manifest: What prepare said about it.
        frames: All of them, by video and frame index; pictures are read from the dataset when asked for.
        splits: The split of each frame, in their order.
    """

    digest: str
    manifest: Manifest
    frames: FrameStore
    splits: tuple[str, ...]


def find_earlier(path: Path) -> Path:
    """Return the folder of a finished prepare.

    Args:
        path: It, or the run's folder above it.

    Raises:
        DataError: Neither holds the manifest of a finished prepare.
    """
    for folder in (path, path / _PHASE):
        if (folder / "manifest.json").is_file() and read_manifest(folder / "manifest.json").phase == _PHASE:
            return folder
    raise DataError(
        "holds no prepared dataset",
        source=path,
        expected="a run's folder, or its prepare folder, with a manifest.json",
        found="nothing" if not path.exists() else "something else",
    )


def open_earlier(folder: Path) -> EarlierDataset:
    """Open an earlier version, every file of it checked against its manifest.

    Args:
        folder: See :func:`find_earlier`.

    Raises:
        DataError: It is unfinished, was changed since, or has rows that cannot be understood.
    """
    manifest = read_manifest(folder / "manifest.json")
    verify_outputs(folder, manifest)
    pictures = _Pictures(folder / "dataset")
    order = sorted(
        (video_id, index, split, row)
        for split in pictures.splits
        for row, (video_id, index, general) in enumerate(_ids(folder / "dataset" / split))
        # What was mixed in from elsewhere is no frame; a new version mixes in by its own settings.
        if not general
    )
    return EarlierDataset(
        digest=digest_of_file(folder / "manifest.json"),
        manifest=manifest,
        frames=FrameStore((pictures.frame(split, row) for _, _, split, row in order), read_image=pictures),
        splits=tuple(split for _, _, split, _ in order),
    )


class _Pictures:
    """Reads rows of a saved dataset by ``<split>/<row>``, from any thread and in a forked or spawned process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, Any] = {}
        self.splits = tuple(json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"])

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return _Pictures, (self._folder,)

    def __call__(self, name: str) -> bytes:
        split, _, row = name.partition("/")
        content: bytes = self._split(split)[int(row)]["image"]["bytes"]
        return content

    def frame(self, split: str, row: int) -> Frame:
        """Return a row without its picture's bytes as a frame."""
        return _frame(self._split(split, without="image")[row], f"{split}/{row:06d}")

    def _split(self, split: str, *, without: str = "") -> Any:
        key = f"{split} {without}"
        if key not in self._rows:
            from datasets import Image, load_from_disk

            loaded = load_from_disk(str(self._folder / split))
            columns = [name for name in loaded.column_names if name != without] if without else ["image"]
            # The bytes as they are stored; decoding them is nobody's business here.
            whole = loaded if without else loaded.cast_column("image", Image(decode=False))
            self._rows[key] = whole.select_columns(columns)
        return self._rows[key]


def _ids(folder: Path) -> Iterator[tuple[str, int, bool]]:
    from datasets import load_from_disk

    rows = load_from_disk(str(folder)).select_columns(["video_id", "frame_index", "instructions"])
    for row in rows:
        yield row["video_id"], row["frame_index"], any(item["task"] == GENERAL for item in row["instructions"])


def _frame(row: Mapping[str, Any], name: str) -> Frame:
    return Frame(
        video_id=row["video_id"],
        frame_index=row["frame_index"],
        timestamp_sec=row["timestamp_sec"],
        width=row["width"],
        height=row["height"],
        objects=tuple(map(_object, row["objects"])),
        image_name=name,
        # The store that these frames go to has one way for all of them; this says that there is a picture.
        read_image=bytes,
    )


def _object(item: Mapping[str, Any]) -> ObjectAnnotation:
    (height, width), counts = item["segmentation"]["size"], item["segmentation"]["counts"]
    x, y, w, h = item["bbox"]
    return ObjectAnnotation(
        object_id=item["object_id"],
        label=item["label"],
        mask=Mask(height, width, counts),
        bbox=(x, y, w, h),
        area=item["area"],
        confidence=item["confidence"],
    )
