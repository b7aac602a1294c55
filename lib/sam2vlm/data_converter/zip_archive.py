"""An export in a ZIP archive, read entry by entry."""

from __future__ import annotations

import functools
import io
import lzma
import os
import threading
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.data_converter.archive_limits import ByteBudget, check_count, check_kind, check_size
from sam2vlm.data_converter.entry_names import checked_name, is_litter, unix_kind
from sam2vlm.data_converter.file_kinds import HEAD_BYTES, kind_by_head
from sam2vlm.data_converter.zip_entries import ZipEntries
from sam2vlm.data_converter.zip_stored import stored_content, stored_head
from sam2vlm.errors import DataError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sam2vlm.data_converter.archive_limits import ArchiveLimits

__all__ = ["ZipArchive"]

_CHUNK = 1 << 20
_LOCAL_HEADER_BYTES = 30  # before its name, APPNOTE.TXT 4.3.7
# Text of many equal lines may pack 100:1 without harm; a bomb is one that also grows large.
_RATIO_FREE_BYTES = 1 << 20
# What zipfile and its decompressors raise on damaged bytes; bz2 raises an OSError without a number.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class ZipArchive:
    """A zipped export; see :class:`sam2vlm.data_converter.archive.ExportArchive`.

    Every thread reads through a handle of its own, and a handle keeps its position to itself: neither other threads
    nor a forked process can move it.
    """

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self.path = path
        self.limits = limits
        self._local = threading.local()
        self._opening = threading.Lock()
        opened, file = self._open()
        self._entries = ZipEntries(self._checked_entries(opened))
        self.names = self._entries.names
        self._budget = ByteBudget(path, limits.unpacked_bytes, self.names)
        self._keep(opened, file)

    def __reduce__(self) -> tuple[object, tuple[Path, ArchiveLimits]]:
        return _reopened, (self.path, self.limits)

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.read`."""
        return b"".join(self.chunks(name, at_most=at_most))

    def chunks(self, name: str, *, at_most: int | None = None) -> Iterator[bytes]:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.chunks`."""
        info, size = self._entries.info(name), 0
        with self._told(name):
            for chunk in self._pieces(info):
                size += len(chunk)
                check_size(self.path, name, size, at_most)
                self._check_ratio(name, info, size)
                self._budget.spend(name, size)
                yield chunk
        if size != info.file_size:
            self._damaged(name, f"{size} of {info.file_size} bytes")

    def head(self, name: str, size: int) -> bytes:
        """See :meth:`sam2vlm.data_converter.archive.ExportArchive.head`."""
        info = self._entries.info(name)
        with self._told(name):
            handle = self._handle()
            found = stored_head(self._local.file.at, info, size)
            if found is not None:
                return found
            with handle.open(info) as stream:
                return stream.read(size)

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        handle = self._handle()
        whole = stored_content(self._local.file.at, info)
        if whole is not None:
            yield whole
            return
        with handle.open(info) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    def _handle(self) -> zipfile.ZipFile:
        if not hasattr(self._local, "handle"):
            # One after the other: for as long as it is opened, a handle has all entries once more.
            with self._opening:
                self._keep(*self._open())
        handle: zipfile.ZipFile = self._local.handle
        return handle

    def _keep(self, opened: zipfile.ZipFile, file: _PositionedFile) -> None:
        """Have this thread read through a handle, without the handle's own list of entries."""
        opened.filelist.clear()
        opened.NameToInfo.clear()
        self._local.handle, self._local.file = opened, file

    def _open(self) -> tuple[zipfile.ZipFile, _PositionedFile]:
        try:
            file = _PositionedFile(self.path)
            return zipfile.ZipFile(io.BufferedReader(file)), file
        except NotImplementedError as error:
            raise self._no_zip(error) from None
        except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            with self.path.open("rb") as stream:
                kind = kind_by_head(stream.read(HEAD_BYTES))
            # zipfile says no more than that where it does not even find the end.
            raise self._no_zip(kind if str(error) == "File is not a zip file" else error) from None

    def _no_zip(self, found: object) -> DataError:
        return DataError(
            "is not a ZIP archive, or a truncated one", source=self.path, expected="a ZIP archive", found=found
        )

    def _checked_entries(self, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
        infos = opened.infolist()
        check_count(self.path, len(infos), self.limits)
        entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = checked_name(info.filename, self.path, utf8=bool(info.flag_bits & 0x800))
            check_kind(self.path, name, unix_kind(info.external_attr))
            if info.is_dir() or is_litter(name):
                continue
            if info.flag_bits & 0x1:
                raise DataError(
                    f"holds the encrypted entry {name}; remove the password",
                    source=self.path,
                    expected="entries without a password",
                    found="an encrypted one",
                )
            if name in entries:
                raise DataError(
                    f"holds the entry {name} twice",
                    source=self.path,
                    expected="each entry once",
                    found="two of this name",
                )
            entries[name] = info
        self._check_places(infos, opened.start_dir)
        self._check_declared(entries)
        return entries

    def _check_places(self, infos: list[zipfile.ZipInfo], directory: int) -> None:
        """Refuse entries that share bytes: no tool writes them, and a small archive of them unpacks to petabytes."""
        ends = [*sorted(info.header_offset for info in infos), directory][1:]
        for info, end in zip(sorted(infos, key=lambda info: info.header_offset), ends, strict=True):
            if not 0 <= info.header_offset <= end - info.compress_size - _LOCAL_HEADER_BYTES:
                raise DataError(
                    f"holds the entry {info.filename!r} outside of its place",
                    source=self.path,
                    expected="entries behind one another",
                    found=f"one of {info.compress_size} packed bytes at {info.header_offset}, the next at {end}",
                )

    def _check_declared(self, entries: dict[str, zipfile.ZipInfo]) -> None:
        declared = sum(info.file_size for info in entries.values())
        if declared > self.limits.unpacked_bytes:
            raise DataError(
                "unpacks to more than the limit",
                source=self.path,
                expected=f"at most {self.limits.unpacked_bytes} bytes",
                found=f"{declared} bytes by its own account",
            )
        for name, info in entries.items():
            self._check_ratio(name, info, info.file_size)

    def _check_ratio(self, name: str, info: zipfile.ZipInfo, size: int) -> None:
        if size > _RATIO_FREE_BYTES and size > self.limits.ratio * max(info.compress_size, 1):
            raise DataError(
                f"holds the entry {name}, which unpacks beyond all measure",
                source=self.path,
                expected=f"at most {self.limits.ratio:g} bytes to a packed one",
                found=f"{size} from {info.compress_size}",
            )

    def _told(self, name: str) -> _Told:
        return _Told(self, name)

    def _damaged(self, name: str, found: object) -> NoReturn:
        raise DataError(
            f"holds the damaged entry {name}", source=self.path, expected="its declared bytes and checksum", found=found
        )


class _PositionedFile(io.RawIOBase):
    """A file that is read by absolute position, which threads and forked processes cannot disturb.

    Unlike Python's own file it may be left to the garbage collector: frames keep the archive they are read from, and
    nobody can say when the last of them goes.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._descriptor).st_size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            # Without a number, as bz2's: zipfile takes it for what a damaged archive leads to.
            raise OSError("a position before the file's beginning")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def at(self, offset: int, size: int) -> bytes:
        """Return bytes from an offset on; less than ``size`` where the file ends before."""
        parts = []
        while size > 0 and (part := os.pread(self._descriptor, size, offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


class _Told:
    """Tells what zipfile and zlib raise on a damaged entry as one error; a generator would cost more on each read."""

    def __init__(self, archive: ZipArchive, name: str) -> None:
        self._archive = archive
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno is not None:
            raise from_os_error(error, doing="reading the export") from None
        if isinstance(error, _DAMAGE):
            self._archive._damaged(self._name, error)  # noqa: SLF001  two halves of one module


@functools.lru_cache(maxsize=4)
def _reopened(path: Path, limits: ArchiveLimits) -> ZipArchive:
    # Frames travel to another process one by one, and each brings its archive along; it is opened there once.
    return ZipArchive(path, limits)
