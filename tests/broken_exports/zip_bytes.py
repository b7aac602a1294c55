"""Where the parts of a ZIP archive stand, to change them in place; the numbers are those of APPNOTE.TXT 4.3."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

from tests.broken_exports.parts import Made, good

LOCAL_FIXED, CENTRAL_FIXED, END_FIXED = 30, 46, 22
# Offsets of a member of a local header and of a record of the central directory, and how it is packed.
MEMBERS = {
    "signature": (0, 0, "<I"),
    "needs": (4, 6, "<H"),
    "flags": (6, 8, "<H"),
    "method": (8, 10, "<H"),
    "date": (12, 14, "<H"),
    "crc": (14, 16, "<I"),
    "packed": (18, 20, "<I"),
    "size": (22, 24, "<I"),
    "name length": (26, 28, "<H"),
    "extra length": (28, 30, "<H"),
    "attributes": (None, 38, "<I"),
    "offset": (None, 42, "<I"),
}
# Of the end record.
END = {
    "signature": (0, "<I"),
    "disk": (4, "<H"),
    "count here": (8, "<H"),
    "count": (10, "<H"),
    "size": (12, "<I"),
    "offset": (16, "<I"),
    "comment length": (20, "<H"),
}


@dataclass(frozen=True)
class Places:
    """Where one entry's parts begin in the archive's bytes."""

    local: int
    data: int
    packed: int
    central: int


def places(content):
    """Return the places of every entry by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos, record = archive.infolist(), archive.start_dir
    found = {}
    for info in infos:
        name, extra = struct.unpack_from("<HH", content, info.header_offset + 26)
        data = info.header_offset + LOCAL_FIXED + name + extra
        found[info.filename] = Places(info.header_offset, data, info.compress_size, record)
        record += CENTRAL_FIXED + sum(struct.unpack_from("<HHH", content, record + 28))
    return found


def end_of(content):
    """Return where the end record begins."""
    return len(content) - END_FIXED


def patch(content, name, member, value, *, local=True, central=True):
    """Change a member of an entry's headers; a callable gets the old value."""
    at_local, at_central, layout = MEMBERS[member]
    where = places(bytes(content))[name]
    for wanted, start, offset in ((local, where.local, at_local), (central, where.central, at_central)):
        if wanted and offset is not None:
            (old,) = struct.unpack_from(layout, content, start + offset)
            struct.pack_into(layout, content, start + offset, value(old) if callable(value) else value)


def patch_end(content, member, value):
    """Change a member of the end record; a callable gets the old value."""
    offset, layout = END[member]
    (old,) = struct.unpack_from(layout, content, end_of(content) + offset)
    struct.pack_into(layout, content, end_of(content) + offset, value(old) if callable(value) else value)


def spoilt(change, *, compression=zipfile.ZIP_DEFLATED):
    """A maker: the good archive after a change of its bytes, which may return others."""

    def make(folder):
        parts = good()
        path = parts.zip(folder, compression=compression).path
        content = bytearray(path.read_bytes())
        path.write_bytes(change(content) or content)
        return Made(path, parts.pictures)

    return make


def header(name, member, value, **which):
    """A maker: the good archive with another value in the headers of one entry."""
    return spoilt(lambda content: patch(content, name, member, value, **which))


def end(member, value):
    """A maker: the good archive with another value in its end record."""
    return spoilt(lambda content: patch_end(content, member, value))
