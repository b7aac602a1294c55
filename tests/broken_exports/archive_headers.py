"""Archives whose headers contradict each other, the bytes, or the format."""

from __future__ import annotations

import struct

from tests.broken_exports.case import Rows
from tests.broken_exports.zip_bytes import end, end_of, header, patch, places, spoilt

ROWS = Rows("archive headers")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

PICTURE = "images/frame_000006.png"
LAST = "metadata.json"
APART = "entries behind one another"
WHOLE = "its declared bytes and checksum"


def damaged(name, broken, make, found="", *, place=PICTURE):
    refused(name, broken, make, place, WHOLE, found)


def overlapping(content):
    """The central directory gives frame 6 the place of frame 0's picture."""
    patch(content, PICTURE, "offset", places(bytes(content))["images/frame_000000.png"].local)


def overlapping_by_name(content):
    """As above, and frame 0's local header bears frame 6's name."""
    first = places(bytes(content))["images/frame_000000.png"]
    overlapping(content)
    content[first.local + 30 : first.local + 30 + len(PICTURE)] = PICTURE.encode()
    for member in ("crc", "packed", "size"):
        (value,) = struct.unpack_from("<I", content, first.local + {"crc": 14, "packed": 18, "size": 22}[member])
        patch(content, PICTURE, member, value, local=False)


def with_zip64_extra(content, extra):
    """The last record of the directory gets an extra field behind its name, and its size is said to be in there."""
    where = places(bytes(content))[LAST]
    struct.pack_into("<I", content, where.central + 24, 0xFFFFFFFF)
    struct.pack_into("<H", content, where.central + 30, len(extra))
    at = where.central + 46 + len(LAST)
    content[at:at] = extra
    struct.pack_into("<I", content, end_of(content) + 12, at + len(extra) - places_begin(content))


def places_begin(content):
    (offset,) = struct.unpack_from("<I", content, end_of(content) + 16)
    return offset


def zip64_end(content, **values):
    """A ZIP64 end record and its locator in front of the end record, with whatever values it should tell."""
    at = end_of(content)
    told = {"count": 10, "size": at - places_begin(content), "offset": places_begin(content), "record": at, **values}
    record = struct.pack(
        "<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, told["count"], told["count"], told["size"], told["offset"]
    )
    content[at:at] = record + struct.pack("<IIQI", 0x07064B50, 0, told["record"], 1)


def rename_local(content):
    where = places(bytes(content))[PICTURE]
    content[where.local + 30 : where.local + 36] = b"iMages"


refused(
    "encrypted",
    "an entry is encrypted",
    header(PICTURE, "flags", 1),
    PICTURE,
    "entries without a password",
    "an encrypted one",
)
refused(
    "encrypted-strongly",
    "an entry is encrypted strongly",
    header(PICTURE, "flags", 0x41),
    PICTURE,
    "entries without a password",
    "an encrypted one",
)
refused("encrypted-by-winzip", "an entry is encrypted with AES", header(PICTURE, "method", 99), PICTURE, WHOLE, "")
damaged("patch-data", "an entry holds a patch instead of a file", header(PICTURE, "flags", 0x20))
damaged(
    "unknown-method",
    "an entry is packed by a method that nobody knows",
    header(PICTURE, "method", 97),
    "That compression method is not supported",
)
damaged(
    "deflate64",
    "an entry is packed with Deflate64",
    header(PICTURE, "method", 9),
    "That compression method is not supported",
)
refused(
    "newer-version",
    "an entry needs a version of ZIP that does not exist",
    header(PICTURE, "needs", 99),
    "",
    "a ZIP archive",
    "zip file version 9.9",
)
damaged("wrong-crc", "a picture's checksum is wrong", header(PICTURE, "crc", lambda old: old ^ 1), "Bad CRC-32")
damaged(
    "wrong-crc-of-annotations",
    "annotations.json's checksum is wrong",
    header("annotations.json", "crc", lambda old: old ^ 1),
    "Bad CRC-32",
    place="annotations.json",
)
damaged("packed-too-small", "a picture's packed size is too small", header(PICTURE, "packed", lambda old: old // 2))
refused(
    "packed-too-large",
    "a picture's packed size reaches into the next entry",
    header(PICTURE, "packed", lambda old: old + 5000),
    PICTURE,
    APART,
    "one of",
)
damaged("size-too-small", "a picture's size is too small", header(PICTURE, "size", lambda old: old - 9))
damaged("size-too-large", "a picture's size is too large", header(PICTURE, "size", lambda old: old + 9))
refused(
    "elsewhere",
    "the directory gives a picture the place of another",
    spoilt(overlapping),
    "images/frame_000000.png",
    APART,
    "one of",
)
refused(
    "overlapping",
    "two entries share the bytes of one picture",
    spoilt(overlapping_by_name),
    "images/frame_000000.png",
    APART,
    "one of",
)
refused(
    "beyond-the-end",
    "the directory gives a picture a place behind the archive's end",
    header(PICTURE, "offset", 0x7FFFFFFF),
    PICTURE,
    APART,
    "one of",
)
damaged("other-name", "a picture's two headers give it different names", spoilt(rename_local))
tolerated("many-disks", "the end record tells of a second disk", end("disk", 1))
refused(
    "directory-elsewhere",
    "the end record gives the directory a place too far back",
    end("offset", lambda old: old - 7),
    "",
    "",
    "",
)
refused(
    "directory-beyond",
    "the end record gives the directory a place behind the end",
    end("offset", 0x7FFFFFFF),
    "images/frame_000000.png",
    APART,
    "one of",
)
refused(
    "directory-too-large",
    "the end record gives the directory a size beyond the file",
    end("size", 0x7FFFFFFF),
    "",
    "a ZIP archive",
    "",
)
refused(
    "directory-too-small",
    "the end record gives the directory half of its size",
    end("size", lambda old: old // 2),
    "",
    "",
    "",
)
refused(
    "zip64-without-extra",
    "an entry's size is said to be in a field that is missing",
    spoilt(lambda content: with_zip64_extra(content, b"")),
    LAST,
    "",
    "",
)
refused(
    "zip64-short-extra",
    "an entry's ZIP64 field is too short",
    spoilt(lambda content: with_zip64_extra(content, struct.pack("<HHI", 1, 4, 5))),
    "",
    "a ZIP archive",
    "",
)
refused(
    "zip64-huge-size",
    "an entry's ZIP64 field tells an exabyte",
    spoilt(lambda content: with_zip64_extra(content, struct.pack("<HHQ", 1, 8, 2**60))),
    "",
    "at most 10000000000 bytes",
    str(2**60)[:10],
)
refused(
    "zip64-end-lies",
    "the ZIP64 end record gives the directory an exabyte",
    spoilt(lambda content: zip64_end(content, size=2**60)),
    "",
    "a ZIP archive",
    "",
)
tolerated("zip64", "the archive has a ZIP64 end record", spoilt(zip64_end))
