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
    """

    annotations: str
    metadata: str | None
    pictures: Mapping[int, str]
    unused: tuple[str, ...]


def find_layout(archive: ExportArchive) -> ExportLayout:
    """Find an export's parts among an archive's entries.

    Raises:
        DataError: There is no ``annotations.json``, more than one export, or two pictures of one frame.
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
    pictures: dict[int, str] = {}
    unused = []
    for name in filter(is_picture, archive.names):
        index = picture_index(name)
        if index is None or not is_in_picture_folder(name, root):
            unused.append(name)
            continue
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
    return ExportLayout(annotations, metadata, pictures, tuple(unused))


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
