"""What a reader noticed about an export, as sentences for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sam2vlm.data_converter.export_layout import ExportLayout
    from sam2vlm.data_converter.mask_tally import MaskTally
    from sam2vlm.data_converter.readers.reading import FrameTally
    from sam2vlm.data_converter.video_facts import VideoFacts

__all__ = [
    "differ",
    "evidence",
    "grid_notes",
    "index_notes",
    "label_notes",
    "left_out_notes",
    "listed",
    "many",
    "picture_notes",
    "tally_notes",
]

# Constants that the SAM 2 demo's export tool writes whatever the video and the model say.
_DEMO_FPS = 30.0
_DEMO_CONFIDENCE = 0.95
_SHOWN = 8


def evidence(tally: MaskTally, facts: VideoFacts, setting: str) -> str:
    """Return why the masks were read with the dialect they were read with."""
    if setting != "auto":
        reason = f"the dialect setting is {setting}"
    elif facts.demo_tool is not None and "sam2-demo-1.0.0" in tally.dialects:
        reason = f"{facts.demo_tool} and the masks are run strings"
    else:
        reason = "the shape of the masks: " + ", ".join(
            f"{count} {name}" for name, count in sorted(tally.dialects.items())
        )
    if tally.demo_masks:
        reason += f"; the stored box is the transposed box of {tally.transposed_boxes} of {tally.demo_masks} masks"
    return reason


def index_notes(facts: VideoFacts, annotated: Collection[int], layout: ExportLayout) -> list[str]:
    """Compare what the exporter says it exported with the annotations and the pictures that are there."""
    told = set(facts.frame_indices)
    pictures = set(layout.pictures)
    notes = []
    if told:
        notes += differ(
            told - set(annotated),
            "is in frame_indices but has no annotations",
            "are in frame_indices but have no annotations",
        )
        notes += differ(
            set(annotated) - told, "is annotated but not in frame_indices", "are annotated but not in frame_indices"
        )
    if len(told) != len(facts.frame_indices):
        notes.append(f"frame_indices names {len(facts.frame_indices) - len(told)} frames more than once.")
    notes += differ(pictures - set(annotated), "has a picture but no annotations", "have a picture but no annotations")
    if facts.exported_frames is not None and facts.exported_frames != len(annotated):
        notes.append(f"total_exported_frames is {facts.exported_frames}, but {len(annotated)} frames are annotated.")
    if layout.unused:
        unused = many(len(layout.unused), "picture")
        notes.append(f"{unused} not used, as by name or place no frame's: {listed(layout.unused)}.")
    if layout.others:
        others = many(len(layout.others), "file")
        notes.append(f"{others} not used, as no part of an export: {listed(layout.others)}.")
    return notes


def picture_notes(tally: FrameTally, video: tuple[int, int] | None) -> list[str]:
    """Tell of pictures of another size than the video's, and of frames without objects whose picture is missing."""
    notes = []
    if video is None:
        notes.append("No file tells the video's size; each picture's own served.")
    else:
        size = f"another size than the video's {video[0]} x {video[1]}; boxes are in the picture's pixels"
        notes += differ(tally.other_size, f"has a picture of {size}", f"have pictures of {size}")
    return [*notes, *left_out_notes(tally)]


def left_out_notes(tally: FrameTally) -> list[str]:
    """Tell of frames without objects and picture, and of those that wait for a picture from elsewhere."""
    return [
        *differ(
            tally.left_out,
            "has no visible object and no picture and was left out",
            "have no visible object and no picture and were left out",
        ),
        *differ(tally.missing, "has no picture in the export", "have no picture in the export"),
    ]


def tally_notes(tally: MaskTally, facts: VideoFacts) -> list[str]:
    """Tell of what the masks and their fields showed."""
    notes = []
    if len(tally.dialects) > 1:
        notes.append("The masks are written in more than one way: " + ", ".join(sorted(tally.dialects)) + ".")
    if tally.transposed_boxes < tally.demo_masks:
        notes.append(
            f"{tally.demo_masks - tally.transposed_boxes} of {tally.demo_masks} stored boxes are not the transposed "
            "boxes that this exporter writes; boxes were taken from the masks."
        )
    notes += grid_notes(tally)
    if set(tally.confidences) == {_DEMO_CONFIDENCE} and facts.demo_tool is not None:
        notes.append("confidence is the exporter's constant 0.95 and says nothing about the masks.")
    if facts.source_fps == _DEMO_FPS and facts.demo_tool is not None:
        notes.append(
            "source_fps is the exporter's constant 30; where the video has another rate, timestamps are wrong."
        )
    if tally.computed_times:
        notes.append(f"{many(tally.computed_times, 'frame')} without a timestamp; it was computed from the frame rate.")
    if tally.falling_times:
        notes.append(f"{many(tally.falling_times, 'timestamp')} not after that of the frame before.")
    return [*notes, *label_notes(tally)]


def label_notes(tally: MaskTally) -> list[str]:
    """Tell of labels that were changed because they could not stand in a text."""
    changed = [f"{label!r} to {tidied!r}" for label, tidied in sorted(tally.tidied_labels.items())]
    return [f"{many(len(changed), 'label')} changed, as a text could not hold them: {listed(changed)}."] * bool(changed)


def grid_notes(tally: MaskTally) -> list[str]:
    """Tell of masks on another grid than their frame's."""
    return [
        f"{many(count, 'mask')} on a grid of {width} x {height}; boxes and areas were scaled to the frame."
        for (width, height), count in sorted(tally.grids.items())
    ]


def differ(indices: Iterable[int], one: str, several: str) -> list[str]:
    """Return a sentence about frames, none where there are none: ``one`` for a single one, ``several`` for more."""
    found = sorted(indices)
    if not found:
        return []
    if len(found) == 1:
        return [f"Frame {found[0]} {one}."]
    return [f"{len(found)} frames {several}: {listed(list(map(str, found)))}."]


def many(count: int, what: str) -> str:
    """Return ``1 mask is`` or ``2 masks are``."""
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"


def listed(items: Sequence[str]) -> str:
    """Return the first few items and how many more there are."""
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
