"""Writes that are either there whole or not at all, also after a crash of the machine.

The order is the usual one: write a temporary file in the same folder, fsync it, rename it over the final
name, fsync the folder (see "Files are hard", D. Luu, and the ALICE study, OSDI 2014).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["canonical_json", "open_atomic", "publish_folder", "sync_tree", "write_json", "write_text"]

PARTIAL_SUFFIX = ".partial"


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, two blanks of indent, UTF-8, newline at the end."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"


@contextlib.contextmanager
def open_atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary neighbour of ``path`` for writing; on leaving without an error it becomes ``path``.

    Args:
        path: The final name. Its folder is made where missing.
        mode: ``"wb"`` or ``"w"`` (UTF-8).

    Raises:
        OSError: Whatever the file system says; the final name is then untouched and no temporary is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL_SUFFIX}")
    try:
        with partial.open(mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with open_atomic(path, "w") as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write a value as canonical JSON, atomically."""
    write_text(path, canonical_json(value))


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below ``folder`` to the disk."""
    for base, _folders, files in os.walk(folder):
        for name in files:
            _sync_file(Path(base, name))
        _sync_folder(Path(base))


def publish_folder(staged: Path, final: Path) -> None:
    """Move a finished folder to its final name in one step; an older one there is replaced.

    Args:
        staged: The complete folder, on the same file system.
        final: Its final name.
    """
    sync_tree(staged)
    retired = final.with_name(f".{final.name}.retired")
    if final.exists():
        shutil.rmtree(retired, ignore_errors=True)
        final.rename(retired)
    staged.rename(final)
    _sync_folder(final.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    # Some network file systems refuse fsync on a folder; the rename itself is still atomic there.
    with contextlib.suppress(OSError):
        _sync_file(path)
