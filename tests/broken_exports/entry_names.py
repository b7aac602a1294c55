"""Names of entries in other scripts, other encodings and other cases."""

from __future__ import annotations

import os

from tests.broken_exports.archives import with_entry
from tests.broken_exports.case import Rows
from tests.broken_exports.parts import changed
from tests.broken_exports.zip_bytes import patch, places, spoilt

ROWS = Rows("entry names")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated
PICTURE = "images/frame_000006.png"


def wrapped(name):
    return changed(lambda parts: setattr(parts, "folder", name))


def unmarked(content):
    """Names are UTF-8, and no entry says so."""
    for name in places(bytes(content)):
        patch(content, name, "flags", lambda old: old & ~0x800)


def spelt(content, name, by):
    """Write other bytes of equal length over a name in both headers."""
    where = places(bytes(content))[name]
    for start in (where.local + 30, where.central + 46):
        content[start : start + len(by)] = by
    return content


def in_a_folder(name):
    def make(folder):
        made = changed(lambda parts: None, unpacked=True)(folder)
        (made.path / os.fsdecode(name)).write_bytes(b"?")
        return made

    return make


def wrapped_and_unmarked(folder):
    made = wrapped("Größe экспорт/")(folder)
    content = bytearray(made.path.read_bytes())
    unmarked(content)
    made.path.write_bytes(content)
    return made


tolerated("other-scripts", "the wrapping folder's name is not ASCII", wrapped("Größe экспорт 输出/"))
tolerated("decomposed", "the wrapping folder's accents are characters of their own", wrapped("Gro\u0308\u00dfe/"))
tolerated("unmarked-utf-8", "names are UTF-8, but the archive does not say so", wrapped_and_unmarked)
tolerated("blanks", "the wrapping folder's name holds blanks and brackets", wrapped("My export (1) [new]/"))
tolerated(
    "backslashes",
    "folders are told from files by backslashes",
    changed(lambda parts: setattr(parts, "folder", "a\\b\\")),
)
refused(
    "no-utf-8-in-a-folder",
    "a file's name in the folder is Latin-1",
    in_a_folder(b"pi\xf1a.txt"),
    "",
    "UTF-8",
    "'pi\\udcf1a.txt'",
)
refused(
    "line-break",
    "an entry's name holds a line break",
    with_entry("images/a\nb.png"),
    "",
    "a name that can be printed",
    "'images/a\\nb.png'",
)
refused(
    "escape-sequence",
    "an entry's name holds a terminal's escape sequence",
    with_entry("images/\x1b[31mred.png"),
    "",
    "a name that can be printed",
    "'images/\\x1b[31mred.png'",
)
refused(
    "turned-around",
    "an entry's name turns its reading direction around",
    with_entry("images/\u202egnp.exe"),
    "",
    "a name that can be printed",
    "'images/\\u202egnp.exe'",
)
refused(
    "line-break-in-a-folder",
    "a file's name in the folder holds a line break",
    in_a_folder(b"a\nb.txt"),
    "",
    "a name that can be printed",
    "'a\\nb.txt'",
)
refused(
    "a-zero-byte",
    "an entry's name ends at a zero byte",
    spoilt(lambda content: spelt(content, PICTURE, b"images/frame_000006\0png")),
    "",
    "",
    "",
)
refused(
    "very-long",
    "an entry's name has 60,000 characters",
    with_entry("images/" + "a" * 60_000 + ".png"),
    "",
    "a name of at most 4096 bytes",
    "60011",
)
