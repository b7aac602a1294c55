"""Real small videos: encoded by PyAV as a phone, a camera or a tool would."""

from __future__ import annotations

import fractions
import io
import zipfile

import av
import numpy as np
from PIL import Image

from sam2vlm.sample import THINGS, make_scene

MILLISECONDS = fractions.Fraction(1, 1000)


def numbered(index, width=96, height=64):
    """A picture that tells its number: its red and green count up in steps that survive the encoder."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 20 + 40 * (index % 6)
    picture[..., 1] = 20 + 40 * (index // 6 % 6)
    picture[: height // 2, :, 2] = 200
    return picture


def number_of(picture):
    """The number of a picture that may have been through an encoder."""
    red, green = (picture[..., channel].astype(float).mean() for channel in (0, 1))
    return round((red - 20) / 40) + 6 * round((green - 20) / 40)


def write_video(path, pictures, *, fps=24, codec="libx264", times_ms=None, rotate=None):
    """Encode pictures of shape (height, width, 3); ``times_ms`` gives each its own time."""
    with av.open(str(path), "w") as container:
        stream = None
        for index, picture in enumerate(pictures):
            if stream is None:
                rate = fractions.Fraction(fps).limit_denominator(1001)
                options = {"crf": "12"} if codec == "libx264" else {}
                stream = container.add_stream(codec, rate=rate, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size = 12
                if times_ms is not None:
                    stream.codec_context.time_base = MILLISECONDS
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = 1 / rate if times_ms is None else MILLISECONDS
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def pictures_of_sample(*, frames, objects, width, height, seed, fps=5.0, classes=4, real_fps=30.0, quiet=False):
    """The whole clean video that `write_sample` with the same arguments exports from."""
    total = frames * round(30 / fps)
    scene = make_scene(
        width=width,
        height=height,
        objects=objects,
        duration=total / real_fps,
        seed=seed,
        classes=tuple(THINGS)[:classes],
        quiet=quiet,
    )
    for index in range(total):
        yield np.asarray(scene.look((index + 0.5) / real_fps).picture)


def rezipped(source, target, change):
    """Copy an archive; ``change`` gets each name and its bytes and returns the new bytes, or None to leave it out."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            content = change(name, before.read(name))
            if content is not None:
                after.writestr(name, content)
    return target


def decoded(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))
