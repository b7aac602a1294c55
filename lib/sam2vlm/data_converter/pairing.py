"""Which picture belongs to which annotation file or mask, by their names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sam2vlm.data_converter.entry_names import is_picture, picture_index
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = [
    "FOLDER_WORDS",
    "MASK_FOLDERS",
    "by_key",
    "content_identity",
    "frame_numbers",
    "named_picture",
    "pairing_key",
]

Key = tuple[tuple[str, ...], str]

#: Folders that hold masks.
MASK_FOLDERS = frozenset({"annotations", "annotation", "masks", "mask", "segmentations"})
#: Folders that say what lies in them, not to which video it belongs.
FOLDER_WORDS = MASK_FOLDERS | {"images", "image", "frames", "data", "jpegimages", "json", "labels"}
_IDENTITY_DIGITS = 12


def pairing_key(name: str) -> Key:
    """Return what a picture and its mask have in common: the folders without those of :data:`FOLDER_WORDS`, the stem.

    ``JPEGImages/480p/bear/00000.jpg`` and ``Annotations/480p/bear/00000.png`` have the same one.
    """
    *folders, file = name.split("/")
    return tuple(folder for folder in folders if folder.casefold() not in FOLDER_WORDS), file.rpartition(".")[0]


def by_key(names: Iterable[str], archive: ExportArchive, what: str) -> dict[Key, str]:
    """Return entries by their key.

    Raises:
        DataError: Two entries have the same one.
    """
    found: dict[Key, str] = {}
    for name in names:
        key = pairing_key(name)
        if key in found:
            raise DataError(
                f"holds two {what} that fit together with the same name",
                source=archive.path,
                expected="one",
                found=f"{found[key]} and {name}",
            )
        found[key] = name
    return found


def frame_numbers(names: Sequence[str]) -> dict[str, int]:
    """Return each name's frame index: the number that it carries, where all carry one and no two the same.

    Otherwise its position among the sorted names.
    """
    numbers = [picture_index(f"{name.rpartition('.')[0]}.png") for name in names]
    told = [number for number in numbers if number is not None]
    if len(set(told)) == len(names):
        return dict(zip(names, told, strict=True))
    return {name: position for position, name in enumerate(sorted(names))}


def named_picture(wanted: str, names: Collection[str], archive: ExportArchive) -> str | None:
    """Return the entry that a document means by a picture's name; None where there is none.

    An entry fits whose path ends with the wanted path (the archive has folders around), or, where none does, whose
    whole path below the picture folders ends it (somebody's absolute path, or folders that were not packed).

    Args:
        wanted: As a document says it, with ``/`` or backslashes.
        names: Entries that are pictures with the same file name.
        archive: For the message.

    Raises:
        DataError: More than one entry fits.
    """
    parts = [part for part in wanted.replace("\\", "/").split("/") if part not in ("", ".")]
    fitting = [name for name in names if name.split("/")[-len(parts) :] == parts]
    if not fitting:
        fitting = [name for name in names if _below_words(name) == parts[-len(_below_words(name)) :]]
    if len(fitting) > 1:
        raise DataError(
            f"holds more than one picture {wanted}",
            source=archive.path,
            expected="one",
            found=" and ".join(fitting[:2]),
        )
    return fitting[0] if fitting else None


def content_identity(archive: ExportArchive, names: Iterable[str], *, sequence: str = "") -> str:
    """Return an identity of entries: equal file names and bytes give an equal one, wherever they lie.

    Args:
        archive: The export.
        names: What the identity is made of, in order.
        sequence: The name of their video inside of the export, so that two equal ones stay apart.
    """
    digest = hashlib.sha256(sequence.encode())
    for name in names:
        content = archive.read(name)
        digest.update(f"\0{name.rpartition('/')[2]}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:_IDENTITY_DIGITS]


def pictures_by_file(archive: ExportArchive) -> dict[str, list[str]]:
    """Return the pictures among an archive's entries by their file's name."""
    found: dict[str, list[str]] = {}
    for name in filter(is_picture, archive.names):
        found.setdefault(name.rpartition("/")[2], []).append(name)
    return found


def _below_words(name: str) -> list[str]:
    folders, file = pairing_key(name)[0], name.rpartition("/")[2]
    return [*folders, file]
