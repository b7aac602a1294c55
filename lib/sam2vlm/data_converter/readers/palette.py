"""Palette PNGs: a folder of indexed pictures whose pixel values are object ids (DAVIS, MOSE, YouTube-VOS)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from sam2vlm.data_converter.dialects import PALETTE_PNG, decoded_runs
from sam2vlm.data_converter.export_notes import grid_notes, label_notes, left_out_notes, listed, many
from sam2vlm.data_converter.json_fields import source_of
from sam2vlm.data_converter.mask_tally import MaskTally
from sam2vlm.data_converter.pairing import content_identity
from sam2vlm.data_converter.readers.palette_labels import read_labels
from sam2vlm.data_converter.readers.palette_masks import BACKGROUND, VOID, object_runs, read_indices
from sam2vlm.data_converter.readers.reading import find_picture, made_frame
from sam2vlm.data_converter.readers.still_times import VIDEO_FPS, time_note
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sam2vlm.annotations import Frame, VideoMetadata
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.readers.palette_layout import PaletteFrame, PaletteLayout
    from sam2vlm.data_converter.readers.reading import FrameTally

__all__ = ["PaletteReader"]


class PaletteReader:
    """Reads palette masks; see :class:`sam2vlm.data_converter.readers.reading.ExportReader`.

    Args:
        archive: The export.
        layout: Its masks and frames.
        evidence: Why they are palette masks.
        label: Given to objects that no ``meta.json`` names.
        fps: Frames a second; None where nobody knows.
    """

    def __init__(
        self, archive: ExportArchive, layout: PaletteLayout, *, evidence: str, label: str, fps: float | None
    ) -> None:
        self._archive = archive
        self._layout = layout
        self._evidence = evidence
        self._label = label
        self._fps = fps
        self._labels = read_labels(archive)
        self._tally = MaskTally()
        self._void = 0
        self._masks: dict[tuple[str, int], PaletteFrame] = {}

    @property
    def video_size(self) -> tuple[int, int] | None:
        """None: nothing but the pictures tells it."""
        return None

    def frames(self) -> Iterator[Frame]:
        """Yield a frame a mask picture, video by video."""
        for folders, frames in self._layout.sequences.items():
            name = "/".join(folders)
            video_id = content_identity(self._archive, (frame.mask for frame in frames), sequence=name)
            objects = 0
            void = False
            for frame in frames:
                self._masks[video_id, frame.index] = frame
                made, has_void = self._frame(frame, video_id, folders[-1] if folders else "")
                objects += len(made.objects)
                void |= has_void
                yield made
            if void and not objects:
                self._refuse_binary(frames)

    def refuse_missing(self, frame: Frame) -> NoReturn:
        """Raise the error that a mask has no picture."""
        mask = self._masks[frame.video_id, frame.frame_index].mask
        stem = mask.rpartition("/")[2].rpartition(".")[0]
        raise DataError(
            f"has no picture in {self._archive.path.name}",
            source=source_of(self._archive, mask),
            expected=f"{stem}.jpg or {stem}.png among the frames",
            found="nothing",
        )

    def metadata(self, tally: FrameTally) -> VideoMetadata:
        """Return what is known: masks tell nothing of their video."""
        notes = [
            time_note(self._fps, VIDEO_FPS),
            *grid_notes(self._tally),
            *label_notes(self._tally),
            *left_out_notes(tally),
        ]
        if self._void:
            notes.append(f"{many(self._void, 'mask')} with pixels of {VOID}, which are no object.")
        if self._layout.unused:
            unused = many(len(self._layout.unused), "picture")
            notes.append(f"{unused} without a mask and was not used: {listed(self._layout.unused)}.")
        if not self._labels and not self._label:
            notes.append("Palette masks have no labels; every object is without one.")
        return tally.untold_video(dialect=PALETTE_PNG, evidence=self._evidence, fps=self._fps, notes=notes)

    def _frame(self, frame: PaletteFrame, video_id: str, video: str) -> tuple[Frame, bool]:
        indices = read_indices(self._archive, frame.mask)
        height, width = indices.shape
        picture = find_picture(self._archive, frame.picture, (width, height))
        if height != width and (height, width) == picture.size:
            raise DataError(
                "has width and height in each other's place",
                source=source_of(self._archive, frame.mask),
                expected=f"{picture.size[0]} x {picture.size[1]}, as {picture.name}",
                found=f"{width} x {height}",
            )
        has_void = bool((indices == VOID).any())
        self._void += has_void
        objects = tuple(
            self._tally.annotated(
                decoded_runs(PALETTE_PNG, runs, height, width, "F"),
                picture.size,
                object_id=object_id,
                label=self._labels.get((video, object_id), self._label),
            )
            for object_id, runs in object_runs(indices).items()
        )
        made = made_frame(
            self._archive,
            picture,
            video_id=video_id,
            index=frame.index,
            seconds=frame.index / (self._fps or VIDEO_FPS),
            objects=objects,
        )
        return made, has_void

    def _refuse_binary(self, frames: Sequence[PaletteFrame]) -> NoReturn:
        raise DataError(
            "and the masks beside it hold no object",
            source=source_of(self._archive, frames[0].mask),
            expected=f"pixel values from {BACKGROUND + 1} to {VOID - 1}",
            found=f"only {BACKGROUND} and {VOID}",
        )
