"""One bit of a good archive is another one, in every kind of place that an archive has."""

from __future__ import annotations

import random

from tests.broken_exports.archive_headers import APART, WHOLE
from tests.broken_exports.case import Rows
from tests.broken_exports.parts import Made, good
from tests.broken_exports.zip_bytes import END, MEMBERS, end_of, places, spoilt

ROWS = Rows("byte flips")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

PICTURE = "images/frame_000006.png"
ANNOTATIONS = "annotations.json"
METADATA = "metadata.json"


def flip(content, at, bit):
    content[at] ^= 1 << bit


def local(member, bit, *, byte=0, name=PICTURE):
    """A maker: one bit of a local header's member is flipped."""
    return spoilt(lambda content: flip(content, places(bytes(content))[name].local + MEMBERS[member][0] + byte, bit))


def central(member, bit, *, byte=0, name=PICTURE):
    """A maker: one bit of a directory record's member is flipped."""
    return spoilt(lambda content: flip(content, places(bytes(content))[name].central + MEMBERS[member][1] + byte, bit))


def named(name, bit, *, central=True, byte=0):
    """A maker: one bit of an entry's name is flipped in one of its headers."""

    def change(content):
        where = places(bytes(content))[name]
        flip(content, (where.central + 46 if central else where.local + 30) + byte, bit)

    return spoilt(change)


def data(name, share):
    """A maker: one bit of an entry's packed bytes is flipped, at a share of them."""

    def change(content):
        where = places(bytes(content))[name]
        flip(content, where.data + int((where.packed - 1) * share), 4)

    return spoilt(change)


def end(member, bit, *, byte=0):
    """A maker: one bit of the end record is flipped."""
    return spoilt(lambda content: flip(content, end_of(content) + END[member][0] + byte, bit))


def anywhere(seed):
    """A maker: one bit, anywhere."""

    def make(folder):
        parts = good()
        made = parts.zip(folder)
        content = bytearray(made.path.read_bytes())
        chance = random.Random(seed)
        flip(content, chance.randrange(len(content)), chance.randrange(8))
        made.path.write_bytes(content)
        return Made(made.path, parts.pictures)

    return make


refused(
    "in-a-local-mark",
    "in the mark of a picture's own header",
    local("signature", 3),
    PICTURE,
    WHOLE,
    "Bad magic number for file header",
)
refused(
    "in-a-local-name",
    "in a picture's name in its own header",
    named(PICTURE, 1, central=False),
    PICTURE,
    WHOLE,
    "File name in directory",
)
refused(
    "in-a-local-name-length",
    "in the length of a picture's name in its own header",
    local("name length", 1),
    PICTURE,
    WHOLE,
    "",
)
refused(
    "in-a-local-extra-length",
    "in the length of a picture's extra field in its own header",
    local("extra length", 2),
    PICTURE,
    WHOLE,
    "",
)
tolerated("in-a-local-version", "in the version that a picture's own header needs", local("needs", 1))
tolerated("in-a-local-method", "in the method of a picture's own header; the directory's counts", local("method", 1))
tolerated("in-a-local-checksum", "in the checksum of a picture's own header; the directory's counts", local("crc", 5))
tolerated("in-a-local-size", "in the size of a picture's own header; the directory's counts", local("size", 2))
for number, share in enumerate((0.0, 0.25, 0.5, 0.75, 0.95)):
    refused(f"in-a-picture-{number}", f"in a picture's bytes, at {share:.0%}", data(PICTURE, share), PICTURE, WHOLE, "")
for number, share in enumerate((0.1, 0.5, 0.9)):
    refused(
        f"in-annotations-{number}",
        f"in the bytes of annotations.json, at {share:.0%}",
        data(ANNOTATIONS, share),
        ANNOTATIONS,
        WHOLE,
        "",
    )
refused("in-metadata", "in the bytes of metadata.json", data(METADATA, 0.5), METADATA, WHOLE, "")
refused(
    "in-a-mark",
    "in the mark of a directory record",
    central("signature", 0),
    "",
    "a ZIP archive",
    "Bad magic number for central directory",
)
refused(
    "in-the-version",
    "in the version that a directory record needs",
    central("needs", 6),
    "",
    "a ZIP archive",
    "zip file version",
)
refused(
    "in-the-flags",
    "in the flags of a directory record",
    central("flags", 0),
    PICTURE,
    "entries without a password",
    "an encrypted one",
)
tolerated("in-the-name-flag", "in the flag that says that a name is UTF-8", central("flags", 3, byte=1))
refused(
    "in-the-method",
    "in the method of a directory record",
    central("method", 1),
    PICTURE,
    WHOLE,
    "That compression method is not supported",
)
refused("in-the-checksum", "in the checksum of a directory record", central("crc", 5), PICTURE, WHOLE, "Bad CRC-32")
refused(
    "in-the-packed-size",
    "in the packed size of a directory record",
    central("packed", 6, byte=1),
    PICTURE,
    APART,
    "one of",
)
refused("in-the-size", "in the size of a directory record", central("size", 3), PICTURE, WHOLE, "")
refused("in-the-name-length", "in the length of a name of the directory", central("name length", 1), "", "", "")
refused(
    "in-the-extra-length", "in the length of an extra field of the directory", central("extra length", 1), "", "", ""
)
refused(
    "in-the-kind",
    "in the mode of an entry, which makes it a link",
    central("attributes", 5, byte=3),
    PICTURE,
    "files and folders",
    "a link",
)
refused("in-the-place", "in the place of an entry", central("offset", 7, byte=1), "", APART, "one of")
refused(
    "in-a-picture-name",
    "in a picture's name in the directory",
    named(PICTURE, 0, byte=18),
    "annotations.json: annotations[1].frame_index",
    "images/frame_000006.png",
    "nothing",
)
refused(
    "in-the-annotations-name",
    "in the name of annotations.json in the directory",
    named(ANNOTATIONS, 0),
    "`nnotations.json",
    WHOLE,
    "File name in directory",
)
refused("in-the-end-mark", "in the mark of the end record", end("signature", 0), "", "a ZIP archive", "")
refused("in-the-directory-size", "in the directory's size", end("size", 3, byte=1), "", "a ZIP archive", "")
refused("in-the-directory-place", "in the directory's place", end("offset", 0), "", "", "")
tolerated("in-the-count", "in the number of entries; the directory itself counts", end("count", 0))
tolerated("in-the-comment-length", "in the length of a comment that is not there", end("comment length", 0))
