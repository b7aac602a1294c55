"""Content digests of files and folders (SHA-256, hexadecimal)."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.atomic import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["digest_of_file", "digest_of_tree", "digest_of_value", "files_below"]


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_value(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_of_tree(path: Path) -> str:
    """Return one digest for a file or for a folder's names and contents.

    For a file it is the file's own digest, so that ``sha256sum`` shows the same.
    """
    if path.is_file():
        return digest_of_file(path)
    return digest_of_value({name: digest_of_file(path / name) for name in files_below(path)})


def files_below(folder: Path, *, exclude: Sequence[str] = ()) -> Iterator[str]:
    """Yield the files below a folder as sorted relative POSIX paths.

    Args:
        folder: Where to look. Links to folders are not followed.
        exclude: Shell patterns on the relative path (``*`` also matches ``/``) of files to leave out.
    """
    found = []
    for base, _folders, files in os.walk(folder):
        found += [Path(base, name).relative_to(folder).as_posix() for name in files]
    for name in sorted(found):
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude):
            yield name
