"""Where a palette export keeps masks and frames: DAVIS's, MOSE's and YouTube-VOS's folders, or a flat one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.entry_names import is_picture
from sam2vlm.data_converter.pairing import MASK_FOLDERS, by_key, frame_numbers, pairing_key
from sam2vlm.data_converter.readers.palette_masks import is_indexed
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["PaletteFrame", "PaletteLayout", "find_palettes"]


@dataclass(frozen=True, slots=True)
class PaletteFrame:
    """One annotated frame.

    Attributes:
        index: Its frame index.
        mask: The mask's entry.
        picture: The frame's entry; None where it is missing.
    """

    index: int
    mask: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class PaletteLayout:
    """The masks and frames of an export.

    Attributes:
        sequences: The annotated frames of every video by ascending index, by the video's folders.
        indexed: How many of the masks have a palette.
        unused: Pictures without a mask.
    """

    sequences: Mapping[tuple[str, ...], Sequence[PaletteFrame]]
    indexed: int
    unused: Sequence[str]


def find_palettes(archive: ExportArchive) -> PaletteLayout | None:
    """Find masks and frames by their names and headers; None where no PNG is a mask.

    Masks are the PNGs in a folder called ``Annotations`` or ``masks``, and where there is none, those that have a
    palette. Their frames are the other pictures with the same video folders and the same name.

    Raises:
        DataError: Two masks or two pictures are of one frame; masks lie in a folder an object, as SA-V's own do.
    """
    pngs = [name for name in archive.names if name.casefold().endswith(".png")]
    masks = [name for name in pngs if _in_mask_folder(name)]
    palettes = {name for name in (masks or pngs) if is_indexed(archive, name)}
    masks = masks or sorted(palettes)
    if not masks:
        return None
    pictures = by_key(sorted(set(filter(is_picture, archive.names)) - set(masks)), archive, "pictures")
    keyed = by_key(masks, archive, "masks")
    by_video: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for (folders, _stem), name in keyed.items():
        by_video[folders].append(name)
    _refuse_nested(archive, by_video, {folders for folders, _stem in pictures})
    sequences = {}
    for folders, names in sorted(by_video.items()):
        numbers = frame_numbers(names)
        sequences[folders] = [
            PaletteFrame(numbers[name], name, pictures.get(pairing_key(name)))
            for name in sorted(names, key=numbers.__getitem__)
        ]
    unused = [name for key, name in pictures.items() if key not in keyed]
    return PaletteLayout(sequences, len(palettes), unused)


def _in_mask_folder(name: str) -> bool:
    return any(folder.casefold() in MASK_FOLDERS for folder in name.split("/")[:-1])


def _refuse_nested(
    archive: ExportArchive,
    by_video: Mapping[tuple[str, ...], Sequence[str]],
    with_pictures: Collection[tuple[str, ...]],
) -> None:
    """Refuse a folder an object, as SA-V's val split has it: each would be read as a video of its own.

    ``Annotations/video/000/00000.png`` belongs to ``JPEGImages/video/00000.jpg``, frames one folder higher.
    """
    for folders, names in by_video.items():
        if folders and folders[-1].isdigit() and folders not in with_pictures and folders[:-1] in with_pictures:
            raise DataError(
                "holds the masks of each object in a folder of its own",
                source=archive.path,
                expected="one palette PNG a frame",
                found=names[0],
            )
