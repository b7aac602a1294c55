"""A split as prepare has written it: opened, and refused before the first step where it cannot be trained on."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
from datasets import Dataset, Image, load_from_disk

from sam2vlm.errors import DataError

__all__ = ["read_split"]

COLUMNS = ("sample_id", "image", "width", "height", "objects", "instructions")


def read_split(folder: Path) -> Dataset:
    """Open a split of ``RUN/prepare/dataset``; its files are mapped, and no picture is decoded.

    Args:
        folder: The split's own folder.

    Raises:
        DataError: It is no split, it has no frames, its columns are those of another version, or a frame has no
            picture.
    """
    # Loading a split maps its files; nothing is written beside them or into a cache.
    try:
        split = load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise DataError("is not a split that prepare has written", source=folder, found=error) from None
    except IndexError:
        # What the library makes of a split that was saved without rows, and so without files.
        split = None
    if not isinstance(split, Dataset) or len(split) == 0:
        raise DataError("the split has no frames", source=folder, expected="at least one")
    _refuse_other_columns(split, folder)
    _refuse_missing_pictures(split, folder)
    return split


def _refuse_other_columns(split: Dataset, folder: Path) -> None:
    missing = [name for name in COLUMNS if name not in split.column_names]
    if missing or not isinstance(split.features["image"], Image):
        raise DataError(
            "its dataset was written by another version of sam2vlm; prepare the export again",
            source=folder,
            field=missing[0] if missing else "image",
            expected=f"the columns {', '.join(COLUMNS)}",
            found=", ".join(split.column_names) if missing else split.features["image"],
        )


def _refuse_missing_pictures(split: Dataset, folder: Path) -> None:
    """Look at which pictures are there, without reading them: a missing one would stop the run at some later step."""
    column = split.data["image"]
    absent = pc.is_null(pc.struct_field(column, "bytes")).to_pylist()
    paths = pc.struct_field(column, "path").to_pylist()
    lost = [row for row, path in enumerate(paths) if absent[row] and not (path and Path(path).is_file())]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(split)} frames have no picture; prepare the export again",
            source=folder,
            field=f"image of {split.data['sample_id'][lost[0]].as_py()}",
            expected="its own bytes",
            found=paths[lost[0]] or "nothing",
        )
