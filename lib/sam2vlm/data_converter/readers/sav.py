"""SA-V: JSON files of masklets, one or two a video, at 6 frames a second of a video of 24.

The format: ``sav_dataset/README.md`` of SAM 2. Each video has ``<video_id>_manual.json`` and ``<video_id>_auto.json``
with ``masklet[frame][object] = {"size": [height, width], "counts": COCO string}``; an absent object is an empty mask.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NoReturn

from sam2vlm.annotations import VideoMetadata
from sam2vlm.data_converter.dialects import SA_V
from sam2vlm.data_converter.export_notes import grid_notes, left_out_notes, listed
from sam2vlm.data_converter.mask_tally import MaskTally
from sam2vlm.data_converter.readers.document import json_names, open_document
from sam2vlm.data_converter.readers.reading import find_picture, made_frame
from sam2vlm.data_converter.readers.sav_masklets import Masklets, read_masklets
from sam2vlm.data_converter.readers.sav_pictures import SavPictures, find_pictures
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.annotations import Frame, ObjectAnnotation
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.readers.reading import FrameTally

__all__ = ["SavReader"]


class SavReader:
    """Reads the SA-V files of one or more videos; see :class:`sam2vlm.data_converter.readers.reading.ExportReader`.

    Args:
        archive: The export.
        evidence: Why it is SA-V.
        label: Given to every object; SA-V has no labels.
    """

    def __init__(self, archive: ExportArchive, *, evidence: str, label: str) -> None:
        self._archive = archive
        self._evidence = evidence
        self._label = label
        self._files = _files_by_video(archive)
        self._tally = MaskTally()
        self._notes: list[str] = []
        self._videos: list[Masklets] = []

    @property
    def video_size(self) -> tuple[int, int] | None:
        """Width and height as the files say, of an only video."""
        return self._videos[0].size if len(self._videos) == 1 == len(self._files) else None

    def frames(self) -> Iterator[Frame]:
        """Yield the annotated frames, video by video; ``frame_index`` is that of the 24 frames a second."""
        for names in self._files.values():
            files = [read_masklets(open_document(self._archive, name)) for name in names]
            _check_alike(files)
            self._check_new(files[0])
            self._videos.append(files[0])
            yield from self._video(files)

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that a frame has no picture."""
        video = next(video for video in self._videos if video.video_id == frame.video_id)
        raise DataError(
            f"frame {frame.frame_index} has no picture in {self._archive.path.name}; give the frames beside the "
            "annotations, or the video",
            source=video.source,
            field=f"masklet[{frame.frame_index // video.stride}]",
            expected=f"{frame.video_id}/{frame.frame_index:05d}.jpg",
            found="nothing",
        )

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return what the files say about the (first) video, and what was noticed."""
        first = self._videos[0]
        notes = [*self._notes, *grid_notes(self._tally), *left_out_notes(tally)]
        if not self._label:
            notes.append("SA-V has no labels; every object is without one.")
        return VideoMetadata(
            video_id=first.video_id,
            filename=f"{first.video_id}.mp4" if len(self._videos) == 1 else None,
            width=first.size[0],
            height=first.size[1],
            source_fps=first.fps,
            total_frames=first.total,
            duration_sec=first.duration,
            dialect=SA_V,
            evidence=self._evidence,
            notes=tuple(notes),
        )

    def _video(self, files: list[Masklets]) -> Iterator[Frame]:
        video = files[0]
        pictures = find_pictures(
            self._archive,
            video.video_id,
            only_video=len(self._files) == 1,
            positions=video.positions,
            stride=video.stride,
            total=video.total,
        )
        offsets = self._offsets(files)
        for position in range(video.positions):
            picture = find_picture(self._archive, pictures.names.get(position), video.size)
            objects: list[ObjectAnnotation] = []
            for file, offset in zip(files, offsets, strict=True):
                objects += file.objects(position, picture.size, self._tally, label=self._label, offset=offset)
            yield made_frame(
                self._archive,
                picture,
                video_id=video.video_id,
                index=position * video.stride,
                seconds=position * video.stride / video.fps,
                objects=tuple(objects),
            )
        self._tell(files, pictures)

    def _tell(self, files: list[Masklets], pictures: SavPictures) -> None:
        video = files[0]
        self._notes.append(
            f"{video.video_id} is annotated in every {video.stride}. of {video.total} frames at {video.fps:g} a second."
        )
        if pictures.numbering is not None:
            self._notes.append(f"The pictures of {video.video_id} are numbered {pictures.numbering}.")
        for file in files:
            self._notes += file.notes()
            file.forget()

    def _offsets(self, files: list[Masklets]) -> list[int]:
        """Return what to add to each file's masklet ids so that no two objects share one."""
        taken: set[int] = set()
        offsets = []
        for file in files:
            offset = max(taken) + 1 if taken & set(file.ids) else 0
            if offset:
                self._notes.append(
                    f"The masklets of {file.name} are numbered from {offset + min(file.ids)} on: files of one video "
                    "share its objects' numbers."
                )
            taken |= {number + offset for number in file.ids}
            offsets.append(offset)
        return offsets

    def _check_new(self, found: Masklets) -> None:
        for other in self._videos:
            if other.video_id == found.video_id:
                raise DataError(
                    f"is of the same video as {other.name}",
                    source=found.source,
                    field="video_id",
                    expected=f"names {found.video_id}_manual.json and {found.video_id}_auto.json, or one file",
                    found=found.name,
                )


def _files_by_video(archive: ExportArchive) -> dict[str, list[str]]:
    """Return the files of each video, the manual ones first: their masklets keep their numbers."""
    files: dict[str, list[str]] = defaultdict(list)
    for name in json_names(archive):
        stem = name.rpartition(".")[0]
        files[stem.removesuffix("_manual").removesuffix("_auto")].append(name)
    for names in files.values():
        names.sort(key=lambda name: (not name.endswith("_manual.json"), name))
    return dict(sorted(files.items()))


def _check_alike(files: list[Masklets]) -> None:
    first = files[0]
    for other in files[1:]:
        for field, mine, theirs in (
            ("video_id", other.video_id, first.video_id),
            ("video_width and video_height", other.size, first.size),
            ("masklet", f"{other.positions} frames", f"{first.positions} frames"),
            ("video_frame_count", other.total, first.total),
        ):
            if mine != theirs:
                raise DataError(
                    f"differs from {first.name}, which is of the same video",
                    source=other.source,
                    field=field,
                    expected=listed([str(theirs)]),
                    found=mine,
                )
