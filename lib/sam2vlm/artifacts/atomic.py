"""Writes that are either there whole or not at all, also after a crash of the machine.

The order is the usual one: write a temporary file in the same folder, fsync it, rename it over the final
name, fsync the folder (see "Files are hard", D. Luu, and the ALICE study, OSDI 2014).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["canonical_json", "open_atomic", "publish_folder", "sync_tree", "write_json", "write_text"]

PARTIAL_SUFFIX = ".partial"
_SYNCED_AT_ONCE = 8
_CANONICAL = json.JSONEncoder(ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, two blanks of indent, UTF-8, newline at the end."""
    return _CANONICAL.encode(value) + "\n"


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
    with open_atomic(path, "w") as stream:
        # Piece by piece: as one text, a manifest of a hundred thousand files would be in memory several times.
        stream.writelines(_CANONICAL.iterencode(value))
        stream.write("\n")


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below ``folder`` to the disk."""
    # Several at once: the file system then writes its journal once for all that wait for it.
    with ThreadPoolExecutor(_SYNCED_AT_ONCE, thread_name_prefix="sync") as pool:
        for base, _folders, files in os.walk(folder):
            # Each its share, because a hundred thousand tasks would take more memory than their work.
            shares = [files[share::_SYNCED_AT_ONCE] for share in range(_SYNCED_AT_ONCE)]
            list(pool.map(partial(_sync_files, base), shares))
            _sync_folder(Path(base))


def publish_folder(staged: Path, final: Path, *, synced: bool = False) -> None:
    """Move a finished folder to its final name in one step; an older one there is replaced.

    Args:
        staged: The complete folder, on the same file system.
        final: Its final name.
        synced: Every file below it is on the disk already.
    """
    if synced:
        _sync_folder(staged)
    else:
        sync_tree(staged)
    retired = final.with_name(f".{final.name}.retired")
    if final.exists():
        shutil.rmtree(retired, ignore_errors=True)
        final.rename(retired)
    staged.rename(final)
    _sync_folder(final.parent)
    shutil.rmtree(retired, ignore_errors=True)


def _sync_files(base: str, names: Iterable[str]) -> None:
    for name in names:
        _sync_file(Path(base, name))


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
