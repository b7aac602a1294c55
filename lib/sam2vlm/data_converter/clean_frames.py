"""An export's frames with their pictures and times from the source video instead of from the exporter."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from sam2vlm.annotations import scale_box
from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.annotations.joined_frames import PickedFrames, joined
from sam2vlm.annotations.runs import runs_area, runs_box
from sam2vlm.data_converter.sam2_parser import EMPTY_WITHOUT_PICTURE
from sam2vlm.data_converter.scene_comparison import COMPARED_FRAMES, SceneComparison
from sam2vlm.data_converter.video_frames import decode_frames, picture_bytes, probe_video
from sam2vlm.errors import DataError
from sam2vlm.logs import track

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sam2vlm.annotations import Frame, ObjectAnnotation, VideoMetadata
    from sam2vlm.data_converter.sam2_parser import ParsedExport
    from sam2vlm.data_converter.video_frames import DecodedFrame, VideoFile

__all__ = ["rows_by_video", "with_clean_frames"]

# A tool that makes a video smaller rounds its sides to even numbers.
_ASPECT_SHARE = 0.02
_SAME_SECOND = 5e-4


def rows_by_video(frames: Sequence[Frame]) -> dict[str, list[int]]:
    """Return the positions of each video's frames, videos in the order in which they come."""
    rows: dict[str, list[int]] = {}
    for row, frame in enumerate(frames):
        rows.setdefault(frame.video_id, []).append(row)
    return rows


def with_clean_frames(export: ParsedExport, videos: Mapping[str, Path], folder: Path) -> ParsedExport:
    """Take annotated frames from their source videos, by index; each is decoded once, one at a time.

    Frames without objects come in as negative examples, also those for which the exporter wrote no picture. A frame
    that the exporter lists without an annotation does not: it swallows errors, so nobody knows what is in there.

    Args:
        export: Read with ``pictures_required=False``, so that frames without a picture are there.
        videos: The source video's file by ``video_id``. Frames of another video keep their own pictures.
        folder: Where the frames are kept as PNG files for as long as they are read; made where missing.

    Returns:
        The export with clean pictures, the videos' own times and, where a video is of another size at the same
        shape, boxes in its pixels. Notes say what changed.

    Raises:
        DataError: A video cannot be read, is shorter than the annotations, has another shape than its frames, or
            shows something else than the export's pictures; or a frame of a video that is not given has objects and
            no picture.
    """
    parts: list[Sequence[Frame]] = []
    notes: list[str] = []
    dropped: list[int] = []
    metadata = export.metadata
    rows = rows_by_video(export.frames)
    for number, (video_id, own) in enumerate(rows.items()):
        if video_id not in videos:
            kept = [row for row in own if _has_picture(export.frames[row], video_id, dropped)]
            parts.append(PickedFrames(export.frames, kept))
            continue
        video = probe_video(videos[video_id])
        in_time = sorted(own, key=lambda row: export.frames[row].frame_index)
        cleaning = _Cleaning(PickedFrames(export.frames, in_time), video, folder / f"{number:06d}")
        parts.append(cleaning.run())
        # Not the file's own name: equal content gives equal bytes, whatever it is called.
        name = "the source video" if len(rows) == 1 else f"the source video of {video_id}"
        notes += cleaning.notes(name, metadata if len(rows) == 1 else None)
        metadata = _with_video(metadata, video) if len(rows) == 1 else metadata
    reasons = {**export.dropped, EMPTY_WITHOUT_PICTURE: (*export.dropped.get(EMPTY_WITHOUT_PICTURE, ()), *dropped)}
    return replace(
        export,
        frames=joined(parts),
        metadata=replace(metadata, notes=(*metadata.notes, *notes)),
        dropped={reason: indices for reason, indices in reasons.items() if indices},
    )


def _has_picture(frame: Frame, video_id: str, dropped: list[int]) -> bool:
    if frame.read_image is not None:
        return True
    if frame.visible_objects:
        raise DataError(
            f"has no picture of frame {frame.frame_index}, and its video is not given",
            source=video_id,
            expected="its picture in the export, or the video",
            found="neither",
        )
    dropped.append(frame.frame_index)
    return False


def _with_video(metadata: VideoMetadata, video: VideoFile) -> VideoMetadata:
    return replace(
        metadata,
        width=video.width,
        height=video.height,
        source_fps=video.fps,
        total_frames=video.frames,
        duration_sec=video.duration_sec,
    )


def _kept_picture(folder: Path, name: str) -> bytes:
    return (folder / name.rpartition("/")[2]).read_bytes()


class _Cleaning:
    """Goes through the annotations and the video of one video side by side, and counts what changed."""

    def __init__(self, frames: Sequence[Frame], video: VideoFile, folder: Path) -> None:
        self._frames = frames
        self._video = video
        self._folder = folder
        pictured = [row for row, frame in enumerate(frames) if frame.read_image is not None]
        step = max(len(pictured) // COMPARED_FRAMES, 1)
        self._comparison = SceneComparison((frames[row] for row in pictured[step // 2 :: step]), video.path)
        self._size = (video.width, video.height)
        self._other_size: tuple[int, int] | None = None
        self._moved = 0
        self._furthest = 0.0
        self._added = 0

    def run(self) -> FrameStore:
        """Decode the video and return the frames, whose pictures are read from the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        store = FrameStore(self._cleaned(), read_image=functools.partial(_kept_picture, self._folder))
        self._comparison.judge()
        return store

    def _cleaned(self) -> Iterator[Frame]:
        for found, frame in track(self._pairs(), "taking frames from the video", "frames", total=len(self._frames)):
            yield self._clean(frame, found)

    def _pairs(self) -> Iterator[tuple[DecodedFrame, Frame]]:
        decoded = decode_frames(self._video.path, {frame.frame_index for frame in self._frames})
        found: DecodedFrame | None = None
        for frame in self._frames:
            if found is None or found.index != frame.frame_index:
                found = next(decoded)
                (self._folder / f"{found.index:06d}.png").write_bytes(picture_bytes(found.pixels))
                self._comparison.look_at(found)
            yield found, frame

    def _clean(self, frame: Frame, found: DecodedFrame) -> Frame:
        self._added += frame.read_image is None and not frame.visible_objects
        moved = abs(frame.timestamp_sec - found.timestamp_sec)
        if moved > _SAME_SECOND:
            self._moved += 1
            self._furthest = max(self._furthest, moved)
        same = (frame.width, frame.height) == self._size
        if not same:
            self._other_size = self._other_size or (frame.width, frame.height)
            self._check_shape(frame)
        return replace(
            frame,
            timestamp_sec=found.timestamp_sec,
            width=self._size[0],
            height=self._size[1],
            objects=frame.objects if same else tuple(_measured(item, self._size) for item in frame.objects),
            image_name=f"{frame.video_id}/{found.index:06d}.png",
            # The store that these frames go to has one way for all of them; this says that there is a picture.
            read_image=bytes,
        )

    def _check_shape(self, frame: Frame) -> None:
        width, height = self._size
        if abs(frame.width * height / (frame.height * width) - 1) > _ASPECT_SHARE:
            raise DataError(
                f"has another shape than the export's frame {frame.frame_index}; is it the video that was segmented?",
                source=self._video.path,
                expected=f"the shape of {frame.width} x {frame.height}",
                found=f"{width} x {height}",
            )

    def notes(self, name: str, told: VideoMetadata | None) -> Iterator[str]:
        """Yield what changed.

        Args:
            name: Of the video, inside of a sentence.
            told: What the export says about this one video.
        """
        video = self._video
        yield f"Pictures and times of {len(self._frames)} frames were taken from {name}."
        name = name[0].upper() + name[1:]
        if self._moved:
            said = "" if told is None or told.source_fps is None else f", the export says {told.source_fps:.6g}"
            yield (
                f"{name} has {video.fps:.6g} frames a second{said}; {self._moved} timestamps changed, by up to "
                f"{self._furthest:.3f} s."
            )
        if video.variable:
            yield f"{name} has a variable frame rate; each timestamp is its frame's own, the rate is the average."
        if told is not None and told.total_frames not in (None, video.frames):
            yield (
                f"{name} has {video.frames} frames, the export says {told.total_frames}; frames were taken by their "
                "index, counted from the beginning."
            )
        if self._other_size is not None:
            width, height = self._other_size
            yield (
                f"{name} is {video.width} x {video.height}, the export's frames are {width} x {height}; frames have "
                "the video's size and boxes its pixels."
            )
        if self._added:
            yield (
                f"{self._added} frames without objects, for which the exporter wrote no picture, came in as negative "
                "examples."
            )


def _measured(item: ObjectAnnotation, size: tuple[int, int]) -> ObjectAnnotation:
    """Measure an object again, from its mask: scaling the scaled box would round twice."""
    if item.mask is None:
        return item
    height, width = item.mask.height, item.mask.width
    runs = runs_from_counts(item.mask.counts)
    box = runs_box(runs, height, width, "F")
    return replace(
        item,
        bbox=None if box is None else scale_box(box, (width, height), size),
        area=runs_area(runs) * (size[0] * size[1]) / (width * height),
    )
