"""The test split as the evaluation sees it: frames with their true objects, pictures read when needed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from datasets import Dataset

__all__ = ["TestFrame", "choose_frames", "draw_frames", "read_split"]


@dataclass(frozen=True, slots=True)
class TestFrame:
    """One frame of the test split.

    Attributes:
        row: Its row in the split.
        sample_id: Its name.
        width: Pixels.
        height: Pixels.
        objects: As the dataset has them, in reading order; what the true answers are written from.
    """

    __test__ = False  # its name is no test's, though pytest would think so

    row: int
    sample_id: str
    width: int
    height: int
    objects: tuple[Mapping[str, Any], ...]

    @property
    def truth(self) -> tuple[SeenObject, ...]:
        """The true objects in frame pixels."""
        return tuple(SeenObject(str(item["label"]), _box(item["bbox"])) for item in self.objects)


def read_split(folder: Path, name: str) -> Dataset:
    """Open one split of ``RUN/prepare/dataset``.

    Raises:
        DataError: The folder holds no dataset or not this split, or a split has no frames.
    """
    from datasets import load_from_disk

    try:
        splits = load_from_disk(str(folder))
    except (OSError, ValueError, IndexError) as error:
        # An index is out of range where a split was saved without rows.
        raise DataError("is not a dataset with frames in every split", source=folder, found=error) from None
    if name not in splits:
        raise DataError("has no such split", source=folder, expected=name, found=sorted(splits))
    return splits[name]


def choose_frames(split: Dataset, *, limit: int) -> list[TestFrame]:
    """List a split's frames in their order.

    Args:
        split: Rows of ``RUN/prepare/dataset``; the pictures are not read.
        limit: Most frames, spread evenly over the split; 0 takes all.
    """
    total = len(split)
    count = min(limit, total) if limit else total
    return _frames(split, [place * total // count for place in range(count)])


def draw_frames(split: Dataset, *, number: int, seed: int) -> list[TestFrame]:
    """Draw some frames of a split by chance, in their order; the same ones for the same split and seed.

    Args:
        split: Rows of ``RUN/prepare/dataset``; the pictures are not read.
        number: How many; all where there are fewer.
        seed: Of the choice.
    """
    # Of a generator of its own: what else is drawn from this seed does not change.
    rows = random.Random(seed).sample(range(len(split)), min(number, len(split)))  # noqa: S311  no secret
    return _frames(split, sorted(rows))


def _frames(split: Dataset, rows: list[int]) -> list[TestFrame]:
    return [_frame(row, values) for row, values in zip(rows, split.remove_columns("image").select(rows), strict=True)]


def _frame(row: int, values: Mapping[str, Any]) -> TestFrame:
    return TestFrame(
        row=row,
        sample_id=values["sample_id"],
        width=values["width"],
        height=values["height"],
        objects=tuple(values["objects"]),
    )


def _box(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = map(float, values)
    return (x, y, width, height)
