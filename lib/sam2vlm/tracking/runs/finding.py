"""The runs below a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.errors import DataError
from sam2vlm.tracking.runs.record import is_run, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.tracking.runs.record import RunRecord

__all__ = ["TornRun", "find_runs"]


@dataclass(frozen=True, slots=True)
class TornRun:
    """A run that cannot be read, and why, in one sentence."""

    name: str
    reason: str


def find_runs(folder: Path) -> tuple[list[RunRecord], list[TornRun]]:
    """Read every run below a folder, the folder itself included; what lies inside of a run is not looked at.

    Manifests hold no time. Runs come newest first by the file system's time of the last manifest, start or logged
    figure; a copy that does not keep times changes the order. Equal times go by name.

    Args:
        folder: Where to look. Hidden folders are left out, links to folders are not followed.

    Returns:
        The runs, and those that are torn or foreign, by name.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", source=folder, expected="a folder with runs in it")
    runs, torn = [], []
    for path in _run_folders(folder):
        name = path.resolve().name if path == folder else path.relative_to(folder).as_posix()
        try:
            runs.append(read_run(path, name=name))
        except (DataError, OSError) as error:
            torn.append(TornRun(name, str(error)))
    return sorted(runs, key=lambda run: (-run.changed, run.name)), torn


def _run_folders(folder: Path) -> Iterator[Path]:
    for base, folders, _files in os.walk(folder):
        if is_run(Path(base)):
            folders.clear()
            yield Path(base)
        else:
            folders[:] = sorted(name for name in folders if not name.startswith("."))
