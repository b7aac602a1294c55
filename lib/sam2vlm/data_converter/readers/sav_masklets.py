"""One SA-V file, field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.dialects import sized_mask
from sam2vlm.data_converter.frame_records import refuse_turned
from sam2vlm.data_converter.json_fields import JsonObject, kind_of
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.annotations import ObjectAnnotation
    from sam2vlm.data_converter.mask_tally import MaskTally
    from sam2vlm.data_converter.readers.document import Document

__all__ = ["Masklets", "read_masklets"]

# SA-V: "6 fps" annotations of videos at 24.
_FPS = 24.0
_STRIDE = 4
# A video's id becomes part of file names.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(slots=True)
class Masklets:
    """The masklets of one file.

    Attributes:
        name: The entry.
        source: How messages call it.
        top: The file's object.
        video_id: As the file says.
        size: Width and height of the video.
        fps: Frames a second of the video.
        total: Frames of the video.
        duration: Seconds, where told.
        stride: Frames of the video from one annotated frame to the next.
        positions: Annotated frames.
        masklets: ``[frame][object]``; every row has an item an id. Empty once all frames were read.
        ids: Of the masklets.
        first: For each masklet, the position where it is first seen.
        changes: For each masklet, how often it went or came back since.
        seen: For each masklet, whether the last frame read shows it.
    """

    name: str
    source: str
    top: JsonObject
    video_id: str
    size: tuple[int, int]
    fps: float
    total: int
    duration: float | None
    stride: int
    positions: int
    masklets: list[list[Any]]
    ids: tuple[int, ...]
    first: list[int | None] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = [None] * len(self.ids)
        self.changes = [0] * len(self.ids)
        self.seen = [False] * len(self.ids)

    def objects(
        self, position: int, size: tuple[int, int], tally: MaskTally, *, label: str, offset: int
    ) -> Iterator[ObjectAnnotation]:
        """Yield the objects of an annotated frame, absent ones too.

        Args:
            position: Of the annotated frame; ascending from call to call.
            size: Width and height of the frame.
            tally: Makes the objects.
            label: Of every object.
            offset: Added to the masklets' ids.

        Raises:
            DataError: A mask is malformed.
        """
        for place, value in enumerate(self.masklets[position]):
            key = f"masklet[{position}][{place}]"
            if not isinstance(value, dict):
                self.top.fail(key, "wrong type", expected='{"size": ..., "counts": ...}', found=kind_of(value))
            try:
                decoded = sized_mask(value)
            except DataError as error:
                self.top.fail(key, error.message, expected=error.expected, found=error.found)
            refuse_turned(decoded, self.size, self.top, key)
            self._follow(place, position, visible=decoded.mask is not None)
            yield tally.annotated(decoded, size, object_id=self.ids[place] + offset, label=label)

    def forget(self) -> None:
        """Let the masks go; what else is known stays."""
        self.masklets.clear()

    def notes(self) -> Iterator[str]:
        """Yield where the file's own account of visibility differs from its masks, when all frames were read."""
        for key, found in (("masklet_first_appeared_frame", self.first), ("masklet_visibility_changes", self.changes)):
            told = self.top.optional_list(key, count=len(self.ids))
            for place, value in enumerate(told or ()):
                if value is not None and found[place] is not None and value != found[place]:
                    yield (
                        f"{self.name} says {kind_of(value)} in {key}[{place}], its masks say {found[place]}; the masks "
                        "were used."
                    )

    def _follow(self, place: int, position: int, *, visible: bool) -> None:
        if self.first[place] is None:
            self.first[place] = position if visible else None
        elif visible != self.seen[place]:
            self.changes[place] += 1
        self.seen[place] = visible


def read_masklets(document: Document) -> Masklets:
    """Read and check everything of a file but its masks.

    Raises:
        DataError: A field is missing, has the wrong type, or does not fit another.
    """
    top = document.object()
    video_id = top.text("video_id")
    if not _ID.fullmatch(video_id):
        top.fail("video_id", "cannot name files", expected="letters, digits, _ . and -", found=video_id)
    width, height = top.integer("video_width", least=1), top.integer("video_height", least=1)
    masklets = top.optional_list("masklet")
    if not masklets:
        top.fail("masklet", "has no frames", expected="a list of frames", found=kind_of(masklets))
    ids = _ids(top, masklets)
    for position, row in enumerate(masklets):
        if not isinstance(row, list) or len(row) != len(ids):
            top.fail(f"masklet[{position}]", "wrong shape", expected=f"a list of {len(ids)} masks", found=kind_of(row))
    told = top.optional_integer("video_frame_count", least=len(masklets))
    stride = _STRIDE if told is None else _stride(top, told, len(masklets))
    duration = top.optional_number("video_duration")
    return Masklets(
        name=document.name,
        source=document.source,
        top=top,
        video_id=video_id,
        size=(width, height),
        fps=told / duration if told and duration else _FPS,
        total=told or (len(masklets) - 1) * stride + 1,
        duration=duration,
        stride=stride,
        positions=len(masklets),
        masklets=masklets,
        ids=ids,
    )


def _ids(top: JsonObject, masklets: list[Any]) -> tuple[int, ...]:
    ids = top.integers("masklet_id")
    if "masklet_id" not in top:
        return tuple(range(len(masklets[0]))) if isinstance(masklets[0], list) else ()
    if len(set(ids)) != len(ids):
        top.fail("masklet_id", "names a masklet twice", expected="one id a masklet", found=kind_of(list(ids)))
    return ids


def _stride(top: JsonObject, total: int, positions: int) -> int:
    """Return how many frames lie from one annotated frame to the next; the first frame is one of them."""
    stride = _STRIDE if -(-total // _STRIDE) == positions else -(-total // positions)
    if -(-total // stride) != positions:
        top.fail(
            "video_frame_count",
            "does not fit the number of annotated frames",
            expected=f"{(positions - 1) * _STRIDE + 1} to {positions * _STRIDE}, one in {_STRIDE} annotated",
            found=f"{total} with {positions} annotated",
        )
    return stride
