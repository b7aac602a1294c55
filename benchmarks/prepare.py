"""The prepare phase against what it cannot be faster than: decoding the pictures, and reading the archive.

Run it as ``python -m benchmarks.prepare [--json] [--quick] [--frames N] [--long-frames N] [--folder PATH]``.

Everything runs on two cores. The export is the sample's (``sam2vlm sample``) with a film's grain
(:mod:`benchmarks.film_export`); three objects are seen in a frame on average. Decoding is Pillow's, which is what
everybody decodes with; the phase has a faster decoder for most PNGs. The long run asks about memory alone: 500 drawn
frames to and fro, with pictures that are all different but of 64 x 40 pixels; masks and JSON are as large as ever
(:mod:`benchmarks.long_export`).

What the runs write is kept until all are measured, because ext4 makes files slowly where many were just deleted: it
looks at each inode that was freed in the last minutes. So ``--folder`` is best a new one at a disk's root, too.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, arguments, report
from benchmarks.film_export import write_film_export
from benchmarks.long_export import write_long_export
from benchmarks.process_memory import PeakMemory

if TYPE_CHECKING:
    import argparse

CORES = 2
OBJECTS = 8  # of which a frame sees three on average; the others are listed as absent, as the demo's tool does
QUICK_FRAMES, QUICK_LONG_FRAMES = 200, 1000
MOST_TO_DECODING, MOST_TO_UNZIP, MOST_MEGABYTES, MOST_GROWTH = 1.25, 1.5, 400, 1.1
# Besides the frames: annotations.json and metadata.json.
ENTRIES_BESIDES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the phase.

    Attributes:
        seconds: Wall clock.
        cpu: Seconds of all processes.
        megabytes: The most that all processes had together.
    """

    seconds: float
    cpu: float
    megabytes: float


def main() -> None:
    """Measure and print."""
    options = _options()
    # What is started from here inherits it.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="sam2vlm-prepare-", dir=options.folder) as folder,
        # What the sample says while it is drawn; standard output belongs to the figures.
        contextlib.redirect_stdout(sys.stderr),
    ):
        if options.frames:
            figures += _of_speed(Path(folder), options.frames)
        if options.long_frames:
            figures += _of_the_long_run(Path(folder), options.long_frames)
    report(figures, as_json=options.json, title=f"the prepare phase on {CORES} cores")


def _options() -> argparse.Namespace:
    parser = arguments("The prepare phase against decoding the pictures and reading the archive.")
    parser.add_argument("--frames", type=int, help="frames of 854 x 480, 0 for none (default 10000)")
    parser.add_argument("--long-frames", type=int, help="frames of the run for memory, 0 for none (default 100000)")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument("--folder", type=Path, help="where archives and datasets go: 3.5 MB a frame (default: TMPDIR)")
    options = parser.parse_args()
    if options.frames is None:
        options.frames = QUICK_FRAMES if options.quick else 10_000
    if options.long_frames is None:
        options.long_frames = QUICK_LONG_FRAMES if options.quick else 100_000
    return options


def _of_speed(folder: Path, frames: int) -> list[Figure]:
    archive = folder / "half.zip"
    write_film_export(archive, frames // 2, objects=OBJECTS)
    half = _prepared(archive, frames // 2)
    archive = folder / "whole.zip"
    write_film_export(archive, frames, objects=OBJECTS)
    kilobytes = archive.stat().st_size / frames / 1000
    decoding = _decoding(archive)
    whole = _prepared(archive, frames)
    # The machine's other work comes and goes: the faster of before and after.
    decoding = min(decoding, _decoding(archive))
    unzip = _unzip(archive)
    bare = _prepared(archive, frames, pixels=False)
    unzip = min(unzip, _unzip(archive))
    archive.unlink()
    growth = whole.seconds / (2 * half.seconds)
    return [
        Figure("a frame in the archive", kilobytes, "", "KB", None),
        Figure(f"decoding {frames} PNGs", decoding, "", "s", None),
        Figure("prepare, every rule", whole.seconds, "", "s", None),
        Figure("prepare, every rule, all processes", whole.cpu, "", "CPU s", None),
        _at_most("prepare, every rule, to decoding", whole.seconds / decoding, MOST_TO_DECODING, "1"),
        Figure("unzip -t", unzip, "", "s", None),
        Figure("prepare without pixels", bare.seconds, "", "s", None),
        _at_most("prepare without pixels to unzip -t", bare.seconds / unzip, MOST_TO_UNZIP, "1"),
        Figure(f"prepare, every rule, {frames // 2} frames", half.seconds, "", "s", None),
        _at_most("time at all frames to twice that at half", growth, MOST_GROWTH, "1"),
        _at_most(f"peak memory, {frames} frames", whole.megabytes, MOST_MEGABYTES, "MB"),
    ]


def _of_the_long_run(folder: Path, frames: int) -> list[Figure]:
    """A tenth as well, of the same pictures: that is what "flat" is seen by."""
    archive = folder / "long.zip"
    write_long_export(archive, frames // 10, objects=OBJECTS)
    tenth = _prepared(archive, frames // 10)
    write_long_export(archive, frames, objects=OBJECTS)
    whole = _prepared(archive, frames)
    slope = (whole.megabytes - tenth.megabytes) / (0.9 * frames) * 1000
    return [
        _at_most(f"peak memory, {frames // 10} small pictures", tenth.megabytes, MOST_MEGABYTES, "MB"),
        _at_most(f"peak memory, {frames} small pictures", whole.megabytes, MOST_MEGABYTES, "MB"),
        Figure("memory that another 1000 frames take", slope, "", "MB", None),
        Figure(f"prepare, {frames} small pictures", whole.seconds, "", "s", None),
    ]


def _at_most(name: str, value: float, most: float, unit: str) -> Figure:
    return Figure(name, value, f"<= {most:g}", unit, value <= most)


def _prepared(archive: Path, frames: int, *, pixels: bool = True) -> Run:
    """Run the phase as users do, in a process of its own."""
    from sam2vlm.validation.catalog import RULES

    off = [rule.rule_id for rule in RULES if rule.decodes or rule.rule_id == "painted_overlay_check"]
    run = tempfile.mkdtemp(dir=archive.parent)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    environment |= {
        "SAM2VLM_RUN": run,
        "SAM2VLM_EXPORT": str(archive),
        "SAM2VLM_ARCHIVE__MAX_ENTRIES": str(frames + ENTRIES_BESIDES),
        "SAM2VLM_ARCHIVE__MAX_UNPACKED_BYTES": str(10**12),
        "SAM2VLM_VALIDATION__LEVEL": "report-only",
        "SAM2VLM_VALIDATION__SEVERITIES": json.dumps({} if pixels else dict.fromkeys(off, "off")),
    }
    os.sync()  # of what was written before, so that it is not paid for here
    began, spent = time.monotonic(), os.times()
    with subprocess.Popen([sys.executable, "-m", "jobs.prepare"], env=environment, stdout=sys.stderr) as process:
        with PeakMemory(process.pid) as memory:
            code = process.wait()
        seconds = time.monotonic() - began
    if code:
        raise SystemExit(code)
    now = os.times()
    cpu = now.children_user + now.children_system - spent.children_user - spent.children_system
    return Run(seconds, cpu, memory.peak_bytes / 1e6)


def _decoding(archive: Path) -> float:
    """Return the seconds to decode all PNGs on all cores, by threads or by processes, whichever are faster."""
    return min(_decoded_by(kind, archive) for kind in (ThreadPoolExecutor, ProcessPoolExecutor))


def _decoded_by(kind: type[Executor], archive: Path) -> float:
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".png")]
    began = time.monotonic()
    with kind(CORES) as pool:  # type: ignore[call-arg]  # both take the number of workers first
        list(pool.map(_decode, [archive] * CORES, [names[part::CORES] for part in range(CORES)]))
    return time.monotonic() - began


def _decode(archive: Path, names: list[str]) -> None:
    from PIL import Image

    with zipfile.ZipFile(archive) as opened:
        for name in names:
            Image.open(io.BytesIO(opened.read(name))).load()


def _unzip(archive: Path) -> float:
    began = time.monotonic()
    subprocess.run(["unzip", "-tqq", archive], check=True, stdout=sys.stderr)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
