"""What every reader gives and what happens to its frames on the way to the caller."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from sam2vlm.annotations import Frame, VideoMetadata
from sam2vlm.data_converter.picture_check import read_checked
from sam2vlm.data_converter.pictures import picture_size
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sam2vlm.annotations import ObjectAnnotation
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = [
    "EMPTY_WITHOUT_PICTURE",
    "ExportReader",
    "FrameTally",
    "Picture",
    "find_picture",
    "kept_frames",
    "made_frame",
]

EMPTY_WITHOUT_PICTURE = "no visible object and no picture"


class ExportReader(Protocol):
    """Reads one export, frame by frame."""

    @property
    def video_size(self) -> tuple[int, int] | None:
        """Width and height that every picture should have; None where the export tells none or several."""

    def frames(self) -> Iterator[Frame]:
        """Yield every annotated frame, video by video, by ascending index; those without a picture too.

        Raises:
            DataError: Something in the export is wrong.
        """

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that a frame has no picture."""

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return what is known when all frames were read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame's picture.

    Attributes:
        name: Its entry; None where it is missing.
        size: Its own width and height; those of the masks where it is missing.
    """

    name: str | None
    size: tuple[int, int]


@dataclass(slots=True)
class FrameTally:
    """What was seen while frames went by.

    Attributes:
        kept: How many were kept.
        videos: Their videos, in order.
        size: Width and height of the first.
        other_size: Indices of those whose picture has another size than the video.
        left_out: Indices of those that have neither a visible object nor a picture.
        missing: Indices of those that were kept without a picture.
    """

    kept: int = 0
    videos: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    other_size: list[int] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)

    def keep(self, frame: Frame, video_size: tuple[int, int] | None) -> None:
        """Count a frame that is kept."""
        size = frame.width, frame.height
        if not self.kept:
            self.size = size
        self.kept += 1
        if not self.videos or self.videos[-1] != frame.video_id:
            self.videos.append(frame.video_id)
        if video_size is not None and size != video_size:
            self.other_size.append(frame.frame_index)
        if frame.read_image is None:
            self.missing.append(frame.frame_index)

    def untold_video(
        self, *, dialect: str, evidence: str, fps: float | None, notes: Iterable[str] = ()
    ) -> VideoMetadata:
        """Return what is known of an export that tells nothing of its video.

        Args:
            dialect: How its masks were read.
            evidence: Why so.
            fps: Frames a second, as set or assumed.
            notes: What the reader mended or noticed.
        """
        return VideoMetadata(
            video_id=self.videos[0],
            filename=None,
            width=self.size[0],
            height=self.size[1],
            source_fps=fps,
            total_frames=None,
            duration_sec=None,
            dialect=dialect,
            evidence=evidence,
            notes=tuple(notes),
        )


def kept_frames(
    reader: ExportReader, tally: FrameTally, archive: ExportArchive, *, pictures_required: bool
) -> Iterator[Frame]:
    """Yield the frames that can be used.

    Args:
        reader: Gives them.
        tally: Counts them.
        archive: For the message.
        pictures_required: Refuse a frame with a visible object and no picture, and leave out an empty one. Without,
            both are kept: somebody else has the pictures.

    Raises:
        DataError: As the reader; or a picture is missing; or no frame is left.
    """
    for frame in reader.frames():
        if frame.read_image is None and pictures_required:
            if frame.visible_objects:
                reader.refuse_missing(frame)
            tally.left_out.append(frame.frame_index)
            continue
        tally.keep(frame, reader.video_size)
        yield frame
    if not tally.kept:
        empty = len(tally.left_out)
        raise DataError(
            "holds no usable frame",
            source=archive.path,
            expected="a frame with a picture",
            found=f"{empty} annotated frames without objects and pictures" if empty else "none",
        )


def find_picture(archive: ExportArchive, name: str | None, otherwise: tuple[int, int]) -> Picture:
    """Return a frame's picture with its own size, or with the size of the masks where it is missing.

    Raises:
        DataError: It is no picture.
    """
    return Picture(name, otherwise if name is None else picture_size(archive, name))


def made_frame(
    archive: ExportArchive,
    picture: Picture,
    *,
    video_id: str,
    index: int,
    seconds: float,
    objects: tuple[ObjectAnnotation, ...],
) -> Frame:
    """Return a frame whose picture is read from the archive when somebody asks."""
    return Frame(
        video_id=video_id,
        frame_index=index,
        timestamp_sec=seconds,
        width=picture.size[0],
        height=picture.size[1],
        objects=objects,
        image_name=picture.name,
        read_image=None if picture.name is None else functools.partial(read_checked, archive, picture.name),
    )
