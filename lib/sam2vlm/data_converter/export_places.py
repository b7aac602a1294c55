"""From what a person names to the exports that are meant: one, a folder of them, a list, a pattern."""

from __future__ import annotations

import glob
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.errors import DataError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["find_exports", "short_names"]

_ANNOTATIONS = "annotations.json"
# People re-zip and unpack with a folder or two around the export's own.
_WRAPPINGS = 3


def find_exports(place: str | Sequence[str]) -> tuple[Path, ...]:
    """Return the exports that are meant, in the order given and by name inside of a folder or pattern.

    Args:
        place: An archive, the folder of one export, a folder of exports (archives or unpacked ones), a
            pattern with ``*``, ``?``, ``[`` or ``**``; or several of these, as a list or joined by ``os.pathsep``. A
            path that exists is taken as it is, whatever characters it has.

    Returns:
        The paths, none where nothing is named. One that does not exist is among them where no pattern was meant;
        opening it says so.

    Raises:
        DataError: A pattern matches nothing, or a folder cannot be read.
    """
    found: list[Path] = []
    for single in _singles(place):
        for path in _matches(single):
            try:
                found += _below(path)
            except OSError as error:
                raise from_os_error(error, doing="looking for exports") from None
    return tuple(found)


def short_names(paths: Iterable[Path]) -> list[str]:
    """Return a name for each path: its last part, with the folders before it where two have the same."""
    given = [Path(os.path.normpath(path)).absolute().parts for path in paths]
    names = {parts: parts[-1] for parts in given}
    for depth in range(2, max(map(len, given), default=0) + 1):
        counts = Counter(names.values())
        names = {parts: "/".join(parts[-depth:]) if counts[name] > 1 else name for parts, name in names.items()}
    result = []
    seen: Counter[str] = Counter()
    for parts in given:
        name = names[parts]
        seen[name] += 1
        # One path given twice.
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _singles(place: str | Sequence[str]) -> list[str]:
    if not isinstance(place, str):
        return [single for part in place if part for single in _singles(part)]
    if os.pathsep not in place or Path(place).exists():
        return [place]
    return [part for part in place.split(os.pathsep) if part]


def _matches(single: str) -> list[Path]:
    if Path(single).exists() or not glob.has_magic(single):
        return [Path(single)]
    found = [Path(name) for name in sorted(glob.glob(single, recursive=True))]  # noqa: PTH207  may be absolute
    if not found:
        raise DataError(
            "matches no export", source=single, expected="a pattern of archives or folders", found="nothing"
        )
    return found


def _below(path: Path) -> list[Path]:
    """Return a folder's exports, or the path itself where it is one export or nothing that can be told."""
    if not path.is_dir():
        return [path]
    children = sorted(child for child in path.iterdir() if not child.name.startswith((".", "__MACOSX")))
    if any(_is_annotations(child) for child in children):
        return [path]
    archives = [child for child in children if child.suffix.lower() == ".zip" and child.is_file()]
    folders = [child for child in children if child.is_dir() and not child.is_symlink() and _holds_export(child)]
    return sorted([*archives, *folders]) if archives or len(folders) > 1 else [path]


def _is_annotations(path: Path) -> bool:
    return path.name.casefold() == _ANNOTATIONS


def _holds_export(folder: Path) -> bool:
    return any(_is_annotations(path) for path in _files(folder, _WRAPPINGS))


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for child in sorted(folder.iterdir()):
        if child.is_symlink():
            continue
        if child.is_dir():
            if depth:
                yield from _files(child, depth - 1)
        else:
            yield child
