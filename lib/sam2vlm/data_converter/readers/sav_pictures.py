"""Which picture of a frames folder belongs to which annotated frame of an SA-V video.

Annotations are at 6 frames a second of a video of 24. People number the pictures that they take from it in one of
four ways: by the video's own frame index or by the annotation's position, from 0 or (as ffmpeg does) from 1. Pictures
are only used where their numbers leave one way open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.entry_names import is_picture, picture_index
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["SavPictures", "find_pictures"]

# A folder that is called as SA-V calls its videos holds that video's pictures and no other's.
_OTHER_VIDEO = re.compile(r"(?:^|/)sav_[0-9]+/[^/]*$")
_BY_INDEX = "by the video's frame index"
_BY_POSITION = "by the annotation's position"


@dataclass(frozen=True, slots=True)
class SavPictures:
    """The pictures of one video.

    Attributes:
        names: Entries by the annotated frame's position.
        numbering: How they are numbered, as a sentence's part; None where there are none.
    """

    names: Mapping[int, str]
    numbering: str | None


def find_pictures(
    archive: ExportArchive, video_id: str, *, only_video: bool, positions: int, stride: int, total: int
) -> SavPictures:
    """Find a video's pictures: in a folder of its name, or, for an only video, in the one folder that has any.

    Args:
        archive: The export.
        video_id: The video.
        only_video: Whether the export has no other.
        positions: Annotated frames.
        stride: Frames of the video from one annotated frame to the next.
        total: Frames of the video.

    Raises:
        DataError: Two pictures have one number, pictures lie in more than one folder, or their numbers leave more
            than one way open.
    """
    numbered = _numbered(archive, video_id, only_video=only_video)
    if not numbered:
        return SavPictures({}, None)
    by_index, first = _convention(set(numbered), positions, stride, total) or (None, 0)
    if by_index is None:
        raise DataError(
            f"holds pictures of {video_id} whose numbers do not tell which frames they are",
            source=archive.path,
            expected=f"0 to {positions - 1} by position, or 0, {stride}, ... by frame index",
            found=f"{len(numbered)} pictures numbered {min(numbered)} to {max(numbered)}",
        )
    step = stride if by_index else 1
    names = {
        position: numbered[first + step * position]
        for position in range(positions)
        if first + step * position in numbered
    }
    return SavPictures(names, f"{_BY_INDEX if by_index else _BY_POSITION} from {first}")


def _convention(found: set[int], positions: int, stride: int, total: int) -> tuple[bool, int] | None:
    """Return whether numbers are frame indices, and the first of them; None where that cannot be told."""
    by_index, by_position = set(range(0, positions * stride, stride)), set(range(positions))
    if found in (by_index, set(range(total))):
        return True, 0
    if found == by_position:
        return False, 0
    if found == _raised(by_position):
        return False, 1
    if found in (_raised(by_index), _raised(set(range(total)))):
        return True, 1
    return _with_gaps(found, by_index, positions)


def _with_gaps(found: set[int], by_index: set[int], positions: int) -> tuple[bool, int] | None:
    """Decide where pictures are missing: what can be numbers from 0 in one way only is that."""
    can_be_index, can_be_position = found <= by_index, max(found) < positions and 0 in found
    if can_be_index and max(found) > positions:
        return True, 0
    return (False, 0) if can_be_position and not can_be_index else None


def _raised(numbers: set[int]) -> set[int]:
    return {number + 1 for number in numbers}


def _numbered(archive: ExportArchive, video_id: str, *, only_video: bool) -> dict[int, str]:
    told = [(name, index) for name in archive.names if is_picture(name) and (index := picture_index(name)) is not None]
    own = [(name, index) for name, index in told if name.split("/")[-2:-1] == [video_id]]
    if not own and only_video:
        own = [(name, index) for name, index in told if not _OTHER_VIDEO.search(name)]
    folders = sorted({name.rpartition("/")[0] for name, _index in own})
    if len(folders) > 1:
        raise DataError(
            f"holds pictures of {video_id} in more than one folder",
            source=archive.path,
            expected="one",
            found=" and ".join(folders[:2]),
        )
    numbered: dict[int, str] = {}
    for name, index in own:
        if index in numbered:
            raise DataError(
                f"holds two pictures numbered {index}",
                source=archive.path,
                expected="one",
                found=f"{numbered[index]} and {name}",
            )
        numbered[index] = name
    return numbered
