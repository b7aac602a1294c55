"""The pictures as files, once for all outputs that name them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import EarlyWriteback, WrittenFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["PictureFolder"]


class PictureFolder:
    """Copies pictures byte for byte; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    It has to stand before the writers that link to its files.

    Args:
        folder: Gets ``<video_id>/<frame index, six digits>.png`` or ``.jpg``.
        files: Gets what is known of each file.
    """

    def __init__(self, folder: Path, *, files: WrittenFiles | None = None) -> None:
        self._folder = folder
        self._files = WrittenFiles() if files is None else files
        self._pictures = 0
        self._bytes = 0
        self._made: set[Path] = set()

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:  # noqa: ARG002  a picture lies where it lies, whatever its split
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        with contextlib.closing(EarlyWriteback()) as writeback:
            yield lambda sample: self._write(sample, writeback)

    def finish(self) -> dict[str, Any]:
        """Say what was copied."""
        return {"pictures": self._pictures, "bytes": self._bytes}

    def _write(self, sample: Sample, writeback: EarlyWriteback) -> None:
        target = self._folder / sample.picture_name
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        self._files.write(target, sample.picture, writeback)
        self._pictures += 1
        self._bytes += len(sample.picture)
