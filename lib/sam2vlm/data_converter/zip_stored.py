"""Entries that lie in a ZIP archive as they are, which pictures mostly do, read in one go.

`zipfile` reads through four layers and checks with zlib's CRC-32: 0.25 ms for a picture of 463 KB, four times what the
system takes to hand out its bytes. Here an entry is read at once and checked by zlib-ng, at 40 GB/s. Whatever is not
plainly right about it is left to `zipfile`, which also has the words for it.
"""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    ReadAt: TypeAlias = Callable[[int, int], bytes]

__all__ = ["stored_content", "stored_head"]

# APPNOTE.TXT 4.3.7: signature, version, flags, method, time, date, CRC, two sizes, lengths of name and extra field.
_HEADER = struct.Struct("<4s2xHH4x4x4x4xHH")
_SIGNATURE = b"PK\x03\x04"
_UTF8 = 0x800
# A size and a checksum behind the content, which the directory has as well.
_SIZES_BEHIND = 0x8
_LARGEST = 64 << 20
_LONGEST_NAME = 512


def stored_content(read_at: ReadAt, info: zipfile.ZipInfo) -> bytes | None:
    """Return the content of an entry that is not packed.

    Args:
        read_at: Returns the archive's bytes from an offset on, as many as are asked for, or less at its end.
        info: The entry, as the archive's directory has it.

    Returns:
        Its bytes, whose size and CRC-32 are the directory's; None where it is packed, too large to be had in one piece,
        or not plainly right.

    Raises:
        OSError: The archive cannot be read.
    """
    place = _place(read_at, info) if info.file_size <= _LARGEST else None
    if place is None:
        return None
    content = read_at(place, info.file_size)
    return content if len(content) == info.file_size and zlib_ng.crc32(content) == info.CRC else None


def stored_head(read_at: ReadAt, info: zipfile.ZipInfo, size: int) -> bytes | None:
    """Return the first ``size`` bytes of an entry, unchecked; else as :func:`stored_content`."""
    place = _place(read_at, info)
    return None if place is None else read_at(place, min(size, info.file_size))


def _place(read_at: ReadAt, info: zipfile.ZipInfo) -> int | None:
    """Return where an entry's content begins; None where it is packed or its own header differs from the directory."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & ~(_UTF8 | _SIZES_BEHIND):
        return None
    head = read_at(info.header_offset, _HEADER.size + _LONGEST_NAME)
    if info.compress_size != info.file_size or len(head) < _HEADER.size:
        return None
    signature, flags, method, name_bytes, extra_bytes = _HEADER.unpack_from(head)
    name = head[_HEADER.size : _HEADER.size + name_bytes].decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    if signature != _SIGNATURE or method != zipfile.ZIP_STORED or name != info.orig_filename:
        return None
    return info.header_offset + _HEADER.size + int(name_bytes) + int(extra_bytes)
