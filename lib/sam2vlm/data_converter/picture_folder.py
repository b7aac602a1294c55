"""The pictures as files, once for all outputs that name them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import EarlyWriteback, WrittenFiles, write_hashed
from sam2vlm.data_converter.output_writer import picture_name
from sam2vlm.data_converter.pictures import EXTENSIONS, picture_extension

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["PictureFolder", "StoredPictures"]


class StoredPictures:
    """Pictures that are written while they are looked at, before it is known which frames are used.

    A :class:`sam2vlm.validation.PictureKeeper`: most of the pictures' bytes are read by the rules first, over all
    processor cores, and need not be read again for their files.

    Args:
        folder: Gets ``<video_id>/<frame index, six digits>.png`` or ``.jpg``.

    Attributes:
        folder: The same.
        files: What is known of each file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = WrittenFiles()
        self._writing = _Writing(folder)

    def keep(self, frame: Frame, encoded: bytes) -> tuple[str, bytes, int] | None:
        """Write a frame's picture; what is no picture is left to who refuses it.

        Raises:
            DataError: The video's id is no name for a folder.
            OSError: It cannot be written.
        """
        if picture_extension(encoded) is None:
            return None
        name = picture_name(frame, encoded)
        return name, self._writing.write(name, encoded), len(encoded)

    def kept(self, result: tuple[str, bytes, int] | None) -> None:
        """Take what :meth:`keep` returned."""
        if result is not None:
            name, digest, size = result
            self.files.add(f"{self.folder}/{name}", digest, size)

    def close(self) -> None:
        """Close the files that this process wrote."""
        self._writing.close()

    def name_of(self, frame: Frame) -> str | None:
        """Return the name of a frame's picture; None where it is not stored."""
        names = (frame.sample_id + extension for extension in EXTENSIONS)
        return next((name for name in names if self.size_of(name) is not None), None)

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a picture by its name; None where it is not stored."""
        known = self.files.get(f"{self.folder}/{name}")
        return None if known is None else known[1]

    def discard(self, frames: Iterable[Frame]) -> None:
        """Delete the pictures of frames that are not used."""
        for frame in frames:
            name = self.name_of(frame)
            if name is not None:
                (self.folder / name).unlink()
                self.files.discard(f"{self.folder}/{name}")


class PictureFolder:
    """Copies pictures byte for byte; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    It has to stand before the writers that link to its files.

    Args:
        folder: Gets ``<video_id>/<frame index, six digits>.png`` or ``.jpg``.
        stored: Those that are there already.
        files: Gets what is known of each of the others.
    """

    def __init__(
        self, folder: Path, *, stored: StoredPictures | None = None, files: WrittenFiles | None = None
    ) -> None:
        self._folder = folder
        self._stored = StoredPictures(folder) if stored is None else stored
        self._files = WrittenFiles() if files is None else files
        self._pictures = 0
        self._bytes = 0

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:  # noqa: ARG002  a picture lies where it lies, whatever its split
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        with contextlib.closing(_Writing(self._folder)) as writing:
            yield lambda sample: self._write(sample, writing)

    def finish(self) -> dict[str, Any]:
        """Say what was copied."""
        return {"pictures": self._pictures, "bytes": self._bytes}

    def _write(self, sample: Sample, writing: _Writing) -> None:
        name = sample.picture_name
        size = self._stored.size_of(name)
        if size is None:
            size = len(sample.picture)
            self._files.add(self._folder / name, writing.write(name, sample.picture), size)
        self._pictures += 1
        self._bytes += size


class _Writing:
    """Writes pictures into a folder, whose own folders it makes where they are missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()
        self._writeback = EarlyWriteback()

    def write(self, name: str, content: bytes) -> bytes:
        """Write a picture and return its SHA-256, 32 bytes."""
        path = self._folder / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        return write_hashed(path, content, self._writeback)

    def close(self) -> None:
        self._writeback.close()
