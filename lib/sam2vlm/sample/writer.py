"""Writes a whole export, frame by frame: memory does not grow with the number of frames."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic
from sam2vlm.errors import SettingsError
from sam2vlm.logs import progress
from sam2vlm.sample.archive import ExportArchive, spoil_bytes
from sam2vlm.sample.defects import checked_defects
from sam2vlm.sample.dialects import DIALECTS, SA_V, SOURCE_FPS, Envelope, checked_dialect
from sam2vlm.sample.frames import FrameMaker
from sam2vlm.sample.layouts import open_layout
from sam2vlm.sample.scene import make_scene
from sam2vlm.sample.seeding import stream
from sam2vlm.sample.things import THINGS
from sam2vlm.workers import cores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sam2vlm.sample.frames import MadeFrame

__all__ = ["SampleSummary", "write_sample"]

_REAL_FPS_WHERE_WRONG = 24.0
_SMALLEST_SIDE, _LARGEST_SIDE = 32, 4096
_MOST_OBJECTS = 200
_SAV_FPS, _SAV_STEP = 24.0, 4  # SA-V: every fourth frame of a video at 24 frames a second


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
        dialect: One of :data:`sam2vlm.sample.DIALECTS`.
        seed: Of every random choice.
        defects: Names from :data:`sam2vlm.sample.DEFECTS`.
        fps: Exported frames a second; the video itself has 30. SA-V always has 6 of 24.
        classes: How many kinds of things, at most eight; the objects take them in turn.
        workers: Threads; None for one a processor core.

    Raises:
        SettingsError: An impossible argument.
        OSError: The archive cannot be written; nothing is left behind.
    """
    target = Path(path)
    _check(target, frames=frames, objects=objects, width=width, height=height, fps=fps, classes=classes)
    wrong = checked_defects(defects, has_records=DIALECTS[checked_dialect(dialect)].has_records)
    real_fps = _REAL_FPS_WHERE_WRONG if "constant-fps" in wrong else SOURCE_FPS
    step = max(round(SOURCE_FPS / fps), 1)
    if dialect == SA_V:
        real_fps, step = _SAV_FPS, _SAV_STEP
    envelope = Envelope(
        filename="session.mp4" if "repeated-names" in wrong else _video_name(seed, non_ascii="non-ascii" in wrong),
        width=width,
        height=height,
        total_frames=frames * step,
        duration_sec=frames * step / real_fps,
        target_fps=float(fps),
        frame_indices=tuple(range(0, frames * step, step)),
        dialect=dialect,
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
        tally = _write(stream_out, maker, workers or cores())
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


def _write(stream_out: IO[Any], maker: FrameMaker, workers: int) -> _Tally:
    tally = _Tally(0, Counter())
    envelope = maker.envelope
    with (
        ExportArchive(stream_out, maker.defects) as archive,
        ExitStack() as closing,
        progress(len(envelope.frame_indices), "drawing the sample", "frames") as advance,
    ):
        layout = open_layout(archive, maker, closing)
        for position, frame in enumerate(_in_order(maker, workers)):
            layout.add(position, envelope.frame_indices[position], frame)
            tally.images += frame.picture is not None
            tally.labels.update(frame.labels)
            advance(1)
        layout.finish()
        archive.add_strays()
    return tally


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
