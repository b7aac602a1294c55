"""Archives that are none, that are damaged, or that mean harm."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import warnings
import zipfile

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import Made, changed, entry, good, picture
from tests.broken_exports.zip_bytes import end_of, header, patch, spoilt

ROWS = Rows("archives")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

PICTURE = "images/frame_000006.png"
BEGINNING = "a ZIP archive's beginning without its end"
APART = "entries behind one another"
WHOLE = "its declared bytes and checksum"


def no_zip(name, broken, change, found=""):
    refused(name, broken, spoilt(change), "", "a ZIP archive", found)


def damaged(name, broken, make, found="", *, place=PICTURE):
    refused(name, broken, make, place, WHOLE, found)


def as_gzip(content):
    return gzip.compress(content, mtime=0)


def as_tar(_content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in good().entries().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def with_entry(name, content=b"boo", *, kind=stat.S_IFREG):
    """A maker: the good archive with one more entry, whatever its name."""

    def make(folder):
        made = good().zip(folder)
        info = entry(name)
        info.external_attr = (kind | 0o644) << 16
        with warnings.catch_warnings(), zipfile.ZipFile(made.path, "a") as archive:
            warnings.simplefilter("ignore")  # zipfile's own, on a name that is there already
            archive.writestr(info, content)
        return made

    return make


def empty(folder):
    (folder / "export.zip").touch()
    return Made(folder / "export.zip")


def a_bomb(folder):
    parts = good()
    parts.others["images/frame_999999.png"] = bytes(4 << 20)
    return parts.zip(folder)


def a_modest_bomb(folder):
    """Its headers promise little, so that only the bytes that come out can tell."""
    parts = good()
    size = len(parts.pictures[6])
    parts.pictures[6] += bytes(4 << 20)
    made = parts.zip(folder)
    content = bytearray(made.path.read_bytes())
    patch(content, PICTURE, "size", size)
    made.path.write_bytes(content)
    return made


refused("empty-file", "the file has no bytes", empty, "", "a ZIP archive", "no bytes")
no_zip("a-picture", "a JPEG is called export.zip", lambda content: picture(kind="JPEG"), "a JPEG")
no_zip("a-web-page", "a web page was downloaded in its place", lambda content: b"<!DOCTYPE html><title>Sign in</title>")
no_zip("a-tar", "the export was packed with tar", as_tar, "a tar archive")
no_zip("a-gzip", "the export was packed with gzip", as_gzip, "a gzip file")
no_zip(
    "a-7z", "the export was packed with 7-Zip", lambda content: b"7z\xbc\xaf\x27\x1c" + bytes(200), "a 7-Zip archive"
)
no_zip("a-rar", "the export was packed with RAR", lambda content: b"Rar!\x1a\x07\x01\x00" + bytes(200), "a RAR archive")
for percent in (1, 25, 50, 75, 99):
    no_zip(
        f"truncated-at-{percent}",
        f"the archive ends after {percent} % of its bytes",
        lambda content, percent=percent: content[: len(content) * percent // 100],
        BEGINNING,
    )
no_zip("last-byte-lost", "the archive lacks its last byte", lambda content: content[:-1], BEGINNING)
no_zip("end-record-lost", "the archive lacks its end record", lambda content: content[: end_of(content)])
no_zip("much-behind", "the archive is followed by 100,000 other bytes", lambda content: content + bytes(100_000))
refused(
    "split",
    "the archive is the last of several parts",
    spoilt(lambda content: content[20_000:]),
    "images/frame_000000.png",
    APART,
    "one of",
)
tolerated("little-behind", "the archive is followed by 100 other bytes", spoilt(lambda content: content + bytes(100)))
tolerated("little-before", "100 other bytes stand before the archive", spoilt(lambda content: bytes(100) + content))
tolerated("a-comment", "the archive has a comment", changed(lambda parts: None, comment=b"by hand"))
tolerated("bzip2", "entries are packed with bzip2", changed(lambda parts: None, compression=zipfile.ZIP_BZIP2))
tolerated("lzma", "entries are packed with LZMA", changed(lambda parts: None, compression=zipfile.ZIP_LZMA))
tolerated("stored", "entries are not packed", changed(lambda parts: None, compression=zipfile.ZIP_STORED))
tolerated("no-date", "an entry has no valid date", header(PICTURE, "date", 0))


def outside(name, entry_name):
    refused(name, f"an entry is named {entry_name!r}", with_entry(entry_name), "", "relative names", repr(entry_name))


outside("traversal", "../../outside.txt")
outside("traversal-inside", "images/../../outside.txt")
outside("traversal-by-backslash", "..\\outside.txt")
outside("absolute", "/outside.txt")
outside("absolute-by-backslash", "\\\\server\\outside.txt")
outside("drive", "C:\\outside.txt")
outside("nothing-but-dots", "./.")
for name, kind, what in (
    ("link", stat.S_IFLNK, "a link"),
    ("character-device", stat.S_IFCHR, "a device or another special file"),
    ("block-device", stat.S_IFBLK, "a device or another special file"),
    ("pipe", stat.S_IFIFO, "a device or another special file"),
    ("socket", stat.S_IFSOCK, "a device or another special file"),
):
    refused(
        f"{name}-in-a-zip",
        f"an entry is {what} by its mode ({name})",
        with_entry("images/latest.png", b"/etc/passwd", kind=kind),
        "images/latest.png",
        "files and folders",
        what,
    )
refused(
    "entry-twice",
    "an entry is there twice",
    with_entry(PICTURE, picture()),
    PICTURE,
    "each entry once",
    "two of this name",
)
refused(
    "entry-twice-by-slashes",
    "an entry is there twice, once with two slashes",
    with_entry("images//frame_000006.png", picture()),
    PICTURE,
    "each entry once",
    "two of this name",
)
refused(
    "a-bomb",
    "an entry unpacks to a thousand times its size",
    a_bomb,
    "images/frame_999999.png",
    "at most 100 bytes to a packed one",
    "4194304 from",
)
damaged("a-modest-bomb", "an entry unpacks to more than its headers say", a_modest_bomb)
refused(
    "too-many-bytes",
    "entries unpack to more than the limit",
    changed(lambda parts: None),
    "",
    "at most 9999 bytes",
    "",
    ARCHIVE__MAX_UNPACKED_BYTES=9999,
)
refused(
    "too-many-entries",
    "there are more entries than the limit",
    changed(lambda parts: None),
    "",
    "at most 5",
    "10 and more",
    ARCHIVE__MAX_ENTRIES=5,
)
refused(
    "too-many-files",
    "the folder holds more files than the limit",
    changed(lambda parts: None, unpacked=True),
    "",
    "at most 5",
    "6 and more",
    ARCHIVE__MAX_ENTRIES=5,
)
refused(
    "too-many-bytes-in-a-folder",
    "the folder's files are larger than the limit",
    changed(lambda parts: None, unpacked=True),
    "",
    "at most 9999 bytes",
    "",
    ARCHIVE__MAX_UNPACKED_BYTES=9999,
)
