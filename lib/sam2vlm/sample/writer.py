"""Writes a whole export, frame by frame: memory does not grow with the number of frames."""

from __future__ import annotations

import io
import json
import os
import tempfile
import textwrap
import uuid
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from sam2vlm.artifacts import open_atomic
from sam2vlm.errors import SettingsError
from sam2vlm.logs import progress
from sam2vlm.sample.archive import ExportArchive, spoil_bytes
from sam2vlm.sample.defects import checked_defects
from sam2vlm.sample.dialects import SOURCE_FPS, Envelope, annotations_head, checked_dialect, metadata
from sam2vlm.sample.frames import FrameMaker, MadeFrame
from sam2vlm.sample.scene import make_scene
from sam2vlm.sample.seeding import stream
from sam2vlm.sample.things import THINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SampleSummary", "write_sample"]

_REAL_FPS_WHERE_WRONG = 24.0
_SMALLEST_SIDE, _LARGEST_SIDE = 32, 4096
_MOST_OBJECTS = 200
_SPOOLED_BYTES = 16 * 2**20  # of annotations in memory; beyond, they wait in a temporary file


@dataclass(frozen=True)
class SampleSummary:
    """What was written.

    Attributes:
        path: The archive.
        frames: Exported frames, as the documents name them.
        images: Pictures in the archive.
        objects: Tracks.
        instances: Visible objects of all frames together.
        labels: How often each label is visible.
        dialect: How the masks are stored.
        defects: What is wrong, sorted.
        size_bytes: Of the archive.
    """

    path: Path
    frames: int
    images: int
    objects: int
    instances: int
    labels: dict[str, int]
    dialect: str
    defects: tuple[str, ...]
    size_bytes: int


def write_sample(
    path: str | Path,
    *,
    frames: int = 120,
    objects: int = 8,
    width: int = 854,
    height: int = 480,
    dialect: str = "sam2-demo-1.0.0",
    seed: int = 0,
    defects: Iterable[str] = (),
    fps: float = 5.0,
    classes: int = 4,
    workers: int | None = None,
) -> SampleSummary:
    """Write a synthetic export ZIP; equal arguments give equal bytes, whatever ``workers`` is.

    The bytes also depend on the versions of numpy, Pillow and zlib, which draw and pack the pictures.

    Args:
        path: The archive; an older one there is replaced when the new one is complete.
        frames: How many frames are exported.
        objects: How many distinct objects there are; a frame sees one to five of them.
        width: Of the frames, pixels.
        height: Of the frames, pixels.
        dialect: ``sam2-demo-1.0.0``, ``coco-compressed`` or ``coco-uncompressed``.
        seed: Of every random choice.
        defects: Names from :data:`sam2vlm.sample.DEFECTS`.
        fps: Exported frames a second; the video itself has 30.
        classes: How many kinds of things, at most eight; the objects take them in turn.
        workers: Threads; None for one a processor core.

    Raises:
        SettingsError: An impossible argument.
        OSError: The archive cannot be written; nothing is left behind.
    """
    target = Path(path)
    _check(target, frames=frames, objects=objects, width=width, height=height, fps=fps, classes=classes)
    wrong = checked_defects(defects)
    real_fps = _REAL_FPS_WHERE_WRONG if "constant-fps" in wrong else SOURCE_FPS
    step = max(round(SOURCE_FPS / fps), 1)
    envelope = Envelope(
        filename="session.mp4" if "repeated-names" in wrong else _video_name(seed, non_ascii="non-ascii" in wrong),
        width=width,
        height=height,
        total_frames=frames * step,
        duration_sec=frames * step / real_fps,
        target_fps=float(fps),
        frame_indices=tuple(range(0, frames * step, step)),
        dialect=checked_dialect(dialect),
    )
    scene = make_scene(
        width=width,
        height=height,
        objects=objects,
        duration=envelope.duration_sec,
        seed=seed,
        classes=tuple(THINGS)[:classes],
        quiet="frames-without-image" in wrong,
    )
    maker = FrameMaker(scene, envelope, real_fps, wrong)
    with open_atomic(target, "w+b") as stream_out:
        tally = _write(stream_out, maker, workers or os.cpu_count() or 1)
        spoil_bytes(stream_out, wrong)
    return SampleSummary(
        path=target,
        frames=frames,
        images=tally.images,
        objects=objects,
        instances=tally.labels.total(),
        labels=dict(sorted(tally.labels.items())),
        dialect=dialect,
        defects=tuple(sorted(wrong)),
        size_bytes=target.stat().st_size,
    )


def _check(target: Path, *, frames: int, objects: int, width: int, height: int, fps: float, classes: int) -> None:
    bounds: tuple[tuple[str, float, float, float], ...] = (
        ("frames", frames, 1, 1_000_000),
        ("objects", objects, 1, _MOST_OBJECTS),
        ("width", width, _SMALLEST_SIDE, _LARGEST_SIDE),
        ("height", height, _SMALLEST_SIDE, _LARGEST_SIDE),
        ("fps", fps, 0.1, SOURCE_FPS),
        ("classes", classes, 1, len(THINGS)),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:
            raise SettingsError("out of range", field=name, expected=f"{least:g} to {most:g}", found=value)
    if target.is_dir():
        raise SettingsError("is a folder", source=target, expected="the name of a ZIP file")


def _video_name(seed: int, *, non_ascii: bool) -> str:
    """Return a session's name as the demo gives it: a uuid that tells nothing."""
    name = str(uuid.UUID(bytes=stream(seed, "session").bytes(16), version=4))
    return f"видео-{name}.mp4" if non_ascii else f"{name}.mp4"


@dataclass
class _Tally:
    images: int
    labels: Counter[str]
    seen: set[int]
    annotated: int


def _write(stream_out: IO[Any], maker: FrameMaker, workers: int) -> _Tally:
    tally = _Tally(0, Counter(), set(), 0)
    envelope, defects = maker.envelope, maker.defects
    with (
        ExportArchive(stream_out, defects) as archive,
        tempfile.SpooledTemporaryFile(_SPOOLED_BYTES, "w+", encoding="utf-8") as spool,
        progress(len(envelope.frame_indices), "drawing the sample", "frames") as advance,
    ):
        document = cast("IO[str]", spool)
        document.write(_opening(annotations_head(envelope), defects))
        for index, frame in zip(envelope.frame_indices, _in_order(maker, workers), strict=True):
            _add_frame(archive, document, index, frame, tally, listed="empty-annotations" not in defects)
            advance(1)
        document.write("\n  ]\n}\n")
        _finish(archive, document, maker, tally)
    return tally


def _add_frame(
    archive: ExportArchive, document: IO[str], index: int, frame: MadeFrame, tally: _Tally, *, listed: bool
) -> None:
    if frame.picture is not None:
        archive.add_image(index, frame.picture)
        tally.images += 1
    if frame.entry is not None and listed:
        comma = ",\n" if tally.annotated else ""
        document.write(comma + textwrap.indent(json.dumps(frame.entry, indent=2, ensure_ascii=False), "    "))
        tally.annotated += 1
    tally.labels.update(frame.labels)
    tally.seen.update(frame.seen)


def _finish(archive: ExportArchive, document: IO[str], maker: FrameMaker, tally: _Tally) -> None:
    defects = maker.defects
    if "broken-json" in defects:
        document.truncate(document.tell() // 2)
    document.seek(0)
    if "no-annotations" not in defects:
        archive.add_text("annotations.json", document)
    if "missing-metadata" not in defects:
        about = metadata(maker.envelope, frames=tally.annotated, objects=tally.labels.total(), unique=len(tally.seen))
        if "no-exporter" in defects:
            del about["export_info"]["exporter"]
        if "no-video-info" in defects:
            del about["video"]
        archive.add_text("metadata.json", io.StringIO(json.dumps(about, indent=2, ensure_ascii=False) + "\n"))
    archive.add_strays()


def _opening(head: dict[str, Any], defects: frozenset[str]) -> str:
    if "no-exporter" in defects:
        del head["export_config"]["exporter_version"]
    if "no-video-info" in defects:
        del head["video"]
    text = json.dumps(head, indent=2, ensure_ascii=False)
    return text.removesuffix("\n}") + ',\n  "annotations": [\n'


def _in_order(maker: FrameMaker, workers: int) -> Iterator[MadeFrame]:
    """Make the frames on several threads, a few ahead of the one that is being written.

    Threads serve as well as processes here: Pillow and zlib release the interpreter while they draw and pack.
    """
    total = len(maker.envelope.frame_indices)
    with ThreadPoolExecutor(workers, thread_name_prefix="sample") as pool:
        waiting: deque[Any] = deque()
        try:
            for position in range(total):
                waiting.append(pool.submit(maker.make, position))
                if len(waiting) >= 3 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
