"""The ZIP: names of entries, fixed times and modes, and whatever is wrong with the archive itself."""

from __future__ import annotations

import struct
import zipfile
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["ExportArchive", "spoil_bytes"]

_WRITTEN_AT = (2025, 1, 15, 12, 0, 0)
_FILE_MODE = 0o100644 << 16
_LINK_MODE = 0o120777 << 16
_FOLDER = "My export"
_FOLDER_NON_ASCII = "Aufnahme Größe 1 экспорт"
_BOMB_BYTES = 64 * 2**20
_CHUNK = 2**20
_KEPT_SHARE = 0.6
_ENCRYPTED = 0x1  # bit 0 of the general purpose flag, APPNOTE.TXT 4.4.4


class ExportArchive:
    """An export ZIP that is written entry by entry; the same entries give the same bytes.

    Args:
        stream: Where to, opened for reading and writing.
        defects: Names from :data:`sam2vlm.sample.defects.DEFECTS`.
    """

    def __init__(self, stream: IO[bytes], defects: frozenset[str]) -> None:
        self._zip = zipfile.ZipFile(stream, "w")
        self._defects = defects
        wrapped = "wrapping-folder" in defects
        folder = _FOLDER_NON_ASCII if "non-ascii" in defects else _FOLDER if wrapped else ""
        self._prefix = f"{folder}/" if folder else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def image_name(self, index: int) -> str:
        """Return a picture's name, without the wrapping folder."""
        capitals = "frames-folder" in self._defects
        folder = "frames" if capitals else "images"
        ending = "jpg" if "jpg-frames" in self._defects else "png"
        number = str(index) if "unpadded-numbers" in self._defects else f"{index:06d}"
        prefix = "" if "bare-numbers" in self._defects else "frame_"
        return f"{folder}/{prefix}{number}.{ending.upper() if capitals else ending}"

    def add_image(self, index: int, data: bytes) -> None:
        """Store a picture under the name that exports with ``annotations.json`` give it."""
        self.add_file(self.image_name(index), data)

    def add_file(self, name: str, data: bytes) -> None:
        """Store a file that is compressed already."""
        self._zip.writestr(self._entry(self._prefix + name, zipfile.ZIP_STORED), data)

    def add_text(self, name: str, text: IO[str]) -> None:
        """Deflate a document, from where the stream stands."""
        with self._zip.open(self._entry(self._prefix + name, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as target:
            while part := text.read(_CHUNK):
                target.write(part.encode())

    def add_strays(self) -> None:
        """Add the entries that do not belong to an export."""
        if "wrapping-folder" in self._defects:
            for name in (f"{self._prefix}.DS_Store", f"__MACOSX/{self._prefix}._annotations.json"):
                self._zip.writestr(self._entry(name, zipfile.ZIP_STORED), b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
        if "path-traversal" in self._defects:
            self._zip.writestr(self._entry("../../outside.txt", zipfile.ZIP_STORED), b"written outside\n")
        if "absolute-path" in self._defects:
            self._zip.writestr(self._entry("/outside.txt", zipfile.ZIP_STORED), b"written outside\n")
        if "symlink" in self._defects:
            link = self._entry(f"{self._prefix}images/latest.png", zipfile.ZIP_STORED)
            link.external_attr = _LINK_MODE
            self._zip.writestr(link, b"../../outside.png")
        if "bomb" in self._defects:
            self._add_bomb()

    def _add_bomb(self) -> None:
        entry = self._entry(f"{self._prefix}images/frame_999999.png", zipfile.ZIP_DEFLATED)
        with self._zip.open(entry, "w") as target:
            for _ in range(_BOMB_BYTES // _CHUNK):
                target.write(bytes(_CHUNK))

    def _entry(self, name: str, method: int) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, _WRITTEN_AT)
        entry.compress_type = method
        entry.create_system = 3  # Unix, on every system
        entry.external_attr = _FILE_MODE
        return entry


def spoil_bytes(stream: IO[Any], defects: frozenset[str]) -> None:
    """Do to a finished archive what only its bytes can show."""
    if "encrypted" in defects:
        for place in _flag_places(stream):
            stream.seek(place)
            (flags,) = struct.unpack("<H", stream.read(2))
            stream.seek(place)
            stream.write(struct.pack("<H", flags | _ENCRYPTED))
    if "bad-crc" in defects:
        _flip_a_byte(stream)
    if "truncated" in defects:
        stream.seek(0, 2)
        stream.truncate(int(stream.tell() * _KEPT_SHARE))


def _flag_places(stream: IO[Any]) -> Iterator[int]:
    """Yield where the flags of each local header and of each central directory record stand."""
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        place = archive.start_dir
    for entry in entries:
        yield entry.header_offset + 6
    for _ in entries:
        yield place + 8
        stream.seek(place + 28)
        place += 46 + sum(struct.unpack("<HHH", stream.read(6)))


def _flip_a_byte(stream: IO[Any]) -> None:
    with zipfile.ZipFile(stream) as archive:
        entry = max(archive.infolist(), key=lambda item: (item.compress_size, item.header_offset))
    # The middle of the largest entry lies in its data, whatever its header's length is.
    place = entry.header_offset + 30 + len(entry.filename.encode()) + entry.compress_size // 2
    stream.seek(place)
    (value,) = stream.read(1)
    stream.seek(place)
    stream.write(bytes([value ^ 0xFF]))
