"""Names of archive entries: which are refused, which are litter, and which number a picture carries."""

from __future__ import annotations

import re
import stat
from bisect import bisect_left
from typing import TYPE_CHECKING

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "checked_name",
    "is_in_picture_folder",
    "is_litter",
    "is_picture",
    "picture_index",
    "place_of",
    "text_name",
    "unix_kind",
]

_LITTER_FOLDERS = frozenset({"__macosx"})
_LITTER_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini", "icon\r"})
# Line ends, a terminal's commands and turned reading directions: a sentence with them shows what is not there.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_BYTES = 4096  # of a path on Linux; the ZIP format itself allows 65,535
_PICTURE = re.compile(r"(?:frame)?[ _-]?([0-9]{1,12})\.(?:png|jpe?g)", re.IGNORECASE)
_PICTURE_FOLDERS = frozenset({"images", "frames", "data"})
_DRIVE = re.compile(r"[A-Za-z]:")
_PICTURE_ENDS = (".png", ".jpg", ".jpeg")


def checked_name(name: str, archive: Path, *, utf8: bool = True) -> str:
    """Return an entry's name with ``/`` between its parts, or refuse it.

    Args:
        name: As ``zipfile`` or the file system gives it.
        archive: For the message.
        utf8: False where the archive does not say that the name is UTF-8; ``zipfile`` then read it as code page
            437, while many tools write UTF-8 without saying so.

    Raises:
        DataError: The name leads outside of the archive, or cannot be written down.
    """
    told = name if utf8 else _as_utf8(name)
    parts = [part for part in told.replace("\\", "/").split("/") if part not in ("", ".")]
    if told.startswith(("/", "\\")) or _DRIVE.match(told) or ".." in parts or not parts:
        raise DataError(
            "holds an entry that leads outside", source=archive, expected="relative names", found=repr(told)
        )
    return text_name("/".join(parts), archive)


def text_name(name: str, archive: Path) -> str:
    """Return a name that can be written down, or refuse it.

    Raises:
        DataError: It is no UTF-8, has control characters (litter may) or is longer than any path; such a name could
            stand in no report and no manifest.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise DataError(
            "holds an entry whose name is no text", source=archive, expected="UTF-8", found=ascii(name)
        ) from None
    if size > _LONGEST_BYTES:
        raise DataError(
            "holds an entry with a name beyond all measure",
            source=archive,
            expected=f"a name of at most {_LONGEST_BYTES} bytes",
            found=f"{size} bytes",
        )
    if _UNPRINTABLE.search(name) and not is_litter(name):
        raise DataError(
            "holds an entry whose name has control characters",
            source=archive,
            expected="a name that can be printed",
            found=ascii(name),
        )
    return name


def is_litter(name: str) -> bool:
    """Whether a system left the entry there on its own (``__MACOSX``, ``.DS_Store``, ``._*``, ``Thumbs.db``)."""
    *folders, file = name.casefold().rstrip("/").split("/")
    return file in _LITTER_FILES or file.startswith("._") or not _LITTER_FOLDERS.isdisjoint([*folders, file])


def picture_index(name: str) -> int | None:
    """Return the frame index that a picture's name carries, or None where it carries none.

    Known are ``frame_000012.png``, ``0012.jpg``, ``12.JPEG`` and the like, in any case.
    """
    match = _PICTURE.fullmatch(name.rsplit("/", 1)[-1])
    return None if match is None else int(match.group(1))


def is_picture(name: str) -> bool:
    """Whether the entry's extension is one of a picture's."""
    return name.casefold().endswith(_PICTURE_ENDS)


def is_in_picture_folder(name: str, root: str) -> bool:
    """Whether the entry lies where exports keep pictures.

    Args:
        name: The entry.
        root: The folder of ``annotations.json``, ``""`` for the archive's top.

    Returns:
        True beside ``annotations.json`` and in any folder called ``images``, ``frames`` or ``data``.
    """
    folder = name.rpartition("/")[0]
    return folder == root or folder.rpartition("/")[2].casefold() in _PICTURE_FOLDERS


def unix_kind(external_attributes: int) -> int:
    """Return the file type bits of a ZIP entry's Unix mode, 0 where it has none."""
    return stat.S_IFMT(external_attributes >> 16)


def place_of(names: tuple[str, ...], name: str) -> int:
    """Return the place of a name among sorted ones.

    Raises:
        KeyError: It is not there.
    """
    place = bisect_left(names, name)
    if place == len(names) or names[place] != name:
        raise KeyError(name)
    return place


def _as_utf8(name: str) -> str:
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
