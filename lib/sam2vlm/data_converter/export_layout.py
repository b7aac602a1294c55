"""Where an export keeps its parts: the tool's own layout and what people make of it by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.entry_names import is_in_picture_folder, is_picture, picture_index
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["ExportLayout", "find_layout"]

ANNOTATIONS = "annotations.json"
METADATA = "metadata.json"


@dataclass(frozen=True, slots=True)
class ExportLayout:
    """The entries of one export.

    Attributes:
        annotations: The entry of ``annotations.json``, whatever folders it is wrapped in.
        metadata: That of ``metadata.json``; None where there is none.
        pictures: The pictures' entries by frame index.
        unused: Pictures that belong to no frame by their name or place.
        others: Files that are none of these.
    """

    annotations: str
    metadata: str | None
    pictures: Mapping[int, str]
    unused: tuple[str, ...]
    others: tuple[str, ...]


def find_layout(archive: ExportArchive) -> ExportLayout:
    """Find an export's parts among an archive's entries.

    Raises:
        DataError: There is no ``annotations.json``, more than one export, two pictures of one frame, or pictures in
            several folders that may be several exports'.
    """
    annotations = _only(archive, ANNOTATIONS)
    if annotations is None:
        raise DataError(
            "holds no annotations",
            source=archive.path,
            expected=ANNOTATIONS,
            found=_listed(archive.names) or "no files",
        )
    root = annotations.rpartition("/")[0]
    candidates = _numbered(archive, root)
    pictures: dict[int, str] = {}
    for name, index in candidates.items():
        if index in pictures:
            raise DataError(
                f"holds two pictures of frame {index}",
                source=archive.path,
                expected="one",
                found=f"{pictures[index]} and {name}",
            )
        pictures[index] = name
    beside = f"{root}/{METADATA}" if root else METADATA
    metadata = beside if beside in archive.names else _only(archive, METADATA)
    parts = {annotations, metadata, *candidates}
    rest = [name for name in archive.names if name not in parts]
    return ExportLayout(
        annotations,
        metadata,
        pictures,
        unused=tuple(name for name in rest if is_picture(name)),
        others=tuple(name for name in rest if not is_picture(name)),
    )


def _numbered(archive: ExportArchive, root: str) -> dict[str, int]:
    """Return the frame index of each picture of this export, by name.

    Where the export's own folder has pictures, those of other folders are another export's.
    """
    found = {
        name: index
        for name in filter(is_picture, archive.names)
        if (index := picture_index(name)) is not None and is_in_picture_folder(name, root)
    }
    inside = f"{root}/" if root else ""
    own = {
        name: index
        for name, index in found.items()
        if name.removeprefix(inside).count("/") <= 1 and name.startswith(inside)
    }
    if own:
        return own
    folders = sorted({name.rpartition("/")[0] for name in found})
    if len(folders) > 1:
        raise DataError(
            "keeps pictures in several folders, none of them beside the annotations",
            source=archive.path,
            expected="the pictures of one export",
            found=_listed(folders),
        )
    return found


def _only(archive: ExportArchive, wanted: str) -> str | None:
    found = [name for name in archive.names if name.rpartition("/")[2].casefold() == wanted]
    if len(found) > 1:
        raise DataError(
            f"holds more than one {wanted}", source=archive.path, expected="one export", found=_listed(found)
        )
    return found[0] if found else None


def _listed(names: tuple[str, ...] | list[str], limit: int = 3) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
