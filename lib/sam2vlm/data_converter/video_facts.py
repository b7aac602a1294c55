"""What an export says about its video and about itself, from whichever of its files says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sam2vlm.data_converter.json_fields import JsonObject

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["VideoFacts", "read_video_facts"]

Value = TypeVar("Value")

DEMO_EXPORTER = "SAM2 Demo Export Tool"
DEMO_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The envelope of an export.

    Attributes:
        filename: The source video's name, where told.
        size: Width and height in pixels, where told.
        source_fps: Frames a second, where told.
        total_frames: Of the source video, where told.
        duration_sec: Where told.
        frame_indices: The frames that the exporter says it exported.
        exported_frames: How many it says it exported, where told.
        demo_tool: The sentence that says that the SAM 2 demo's export tool wrote it; None where nothing does.
        notes: Contradictions between the two files, as sentences.
    """

    filename: str | None
    size: tuple[int, int] | None
    source_fps: float | None
    total_frames: int | None
    duration_sec: float | None
    frame_indices: tuple[int, ...]
    exported_frames: int | None
    demo_tool: str | None
    notes: tuple[str, ...]


def read_video_facts(annotations: JsonObject, metadata: JsonObject | None, archive: ExportArchive) -> VideoFacts:
    """Collect the envelope from ``annotations.json`` and, behind it, ``metadata.json``.

    Raises:
        DataError: A field has the wrong type or an impossible value.
    """
    behind = metadata or JsonObject({}, str(archive.path), "")
    videos = annotations.child("video"), behind.child("video")
    configs = annotations.child("export_config"), behind.child("export_config")
    notes = [] if metadata is not None else ["metadata.json is missing; annotations.json and the pictures served."]
    sizes = [size for size in map(_size, videos) if size is not None]
    if len(set(sizes)) > 1:
        notes.append(
            f"annotations.json says the video is {sizes[0][0]} x {sizes[0][1]}, metadata.json says "
            f"{sizes[1][0]} x {sizes[1][1]}; the first was used."
        )
    rates = [video.optional_number(key) for video in videos for key in ("source_fps", "fps")]
    indices = [config.integers("frame_indices") for config in configs]
    return VideoFacts(
        filename=_first([video.optional_text("filename") for video in videos]),
        size=sizes[0] if sizes else None,
        source_fps=_first(rates),
        total_frames=_first([video.optional_integer("total_frames") for video in videos]),
        duration_sec=_first([video.optional_number("duration_sec") for video in videos]),
        frame_indices=next(filter(None, indices), ()),
        exported_frames=_first([config.optional_integer("total_exported_frames") for config in configs]),
        demo_tool=_demo_tool(configs, behind.child("export_info")),
        notes=tuple(notes),
    )


def _size(video: JsonObject) -> tuple[int, int] | None:
    width, height = video.optional_integer("width", least=1), video.optional_integer("height", least=1)
    return None if width is None or height is None else (width, height)


def _demo_tool(configs: tuple[JsonObject, ...], info: JsonObject) -> str | None:
    if info.optional_text("exporter") == DEMO_EXPORTER:
        return f'{info.where("exporter")} is "{DEMO_EXPORTER}"'
    for config in configs:
        if config.optional_text("exporter_version") == DEMO_VERSION:
            return f'{config.where("exporter_version")} is "{DEMO_VERSION}"'
    return None


def _first(values: list[Value | None]) -> Value | None:
    return next((value for value in values if value), None)
