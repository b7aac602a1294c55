"""The sample's export with pictures as heavy as a film's: what is drawn is too smooth, and packs too well.

Nine photographs that scikit-image ships, cut and scaled to 854 x 480, brought through H.264 at crf 23 and saved as PNG
by Pillow, weigh 276 to 534 KB, median 516. The sample's drawn frames weigh 240, and decode in half of a film's time. A
grain of 2.5 levels makes 474 KB of them.
"""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_film_export"]

GRAIN = 2.5
_AT_ONCE = 256


def write_film_export(path: Path, frames: int, *, objects: int) -> None:
    """Write the sample's export, each picture with a grain of its own.

    Args:
        path: The archive.
        frames: Of 854 x 480.
        objects: Of the sample; a frame sees three of eight on average.
    """
    from sam2vlm.sample import write_sample
    from sam2vlm.workers import cores

    drawn = path.with_suffix(".drawn")
    write_sample(drawn, frames=frames, objects=objects)
    with (
        zipfile.ZipFile(drawn) as source,
        zipfile.ZipFile(path, "w") as target,
        ProcessPoolExecutor(cores()) as pool,
    ):
        names = source.namelist()
        pictures = [name for name in names if name.endswith(".png")]
        for name in sorted(set(names) - set(pictures)):
            target.writestr(source.getinfo(name), source.read(name))
        for begin in range(0, len(pictures), _AT_ONCE):
            some = pictures[begin : begin + _AT_ONCE]
            grained = pool.map(_with_grain, map(source.read, some), range(begin, begin + len(some)), chunksize=8)
            _store(target, zip(some, grained, strict=True))
    drawn.unlink()


def _store(target: zipfile.ZipFile, pictures: Iterator[tuple[str, bytes]]) -> None:
    for name, content in pictures:
        target.writestr(name, content, zipfile.ZIP_STORED)


def _with_grain(content: bytes, seed: int) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(np.float32)
    grain = np.random.default_rng(seed).normal(0, GRAIN, pixels.shape[:2]).astype(np.float32)
    stream = io.BytesIO()
    # One grain for all three colours, as a sensor's noise is after a video's halved colour resolution.
    Image.fromarray(np.rint(pixels + grain[:, :, None]).clip(0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
