"""Frames of a video by their index, as the segmentation tools count them: the n-th picture that is shown.

An index is never turned into a time and back: with a variable rate, or with a rate that an exporter only believes in,
that hits the neighbour. The video is read from its beginning to the last frame that is wanted, each frame decoded
once; only one of them is in memory.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.runs import MAX_GRID_PIXELS
from sam2vlm.errors import DataError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

__all__ = ["DecodedFrame", "VideoFile", "decode_frames", "picture_bytes", "probe_video"]

# Containers of one file. Play lists (HLS, DASH, concat) would let a file from outside name other files and addresses.
CONTAINERS = "asf,avi,flv,gif,ivf,m4v,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mxf,nut,ogg,rm,y4m"
# Of the usual distance of two frames; a container that counts milliseconds rounds 33.37 to 33 or 34.
_VARIABLE_SHARE = 0.25
# Pillow's default of 6 takes three times as long for a tenth fewer bytes of a camera's picture.
_PNG_LEVEL = 1


@dataclass(frozen=True, slots=True)
class VideoFile:
    """What a video says about itself, once it is shown as it is meant to be.

    Attributes:
        path: The file.
        width: Pixels, after the rotation that a phone notes down.
        height: Likewise.
        frames: Packets of pictures; the decoder has the last word.
        fps: Frames a second on average.
        duration_sec: From the first frame's begin to the last one's end.
        variable: Whether the distances of its frames differ by more than a quarter.
    """

    path: Path
    width: int
    height: int
    frames: int
    fps: float
    duration_sec: float
    variable: bool


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame.

    Attributes:
        index: Of the video's frames in the order in which they are shown, from 0.
        timestamp_sec: Since the first frame.
        pixels: RGB, uint8 of shape (height, width, 3).
    """

    index: int
    timestamp_sec: float
    pixels: Pixels


def probe_video(path: Path) -> VideoFile:
    """Read a video's packets, without decoding more than its first frame.

    Raises:
        DataError: It is missing, no video, damaged at its beginning, or larger than any frame.
        SettingsError: It may not be read.
    """
    with _opened(path) as (container, stream):
        times = sorted(
            packet.pts
            for packet in container.demux(stream)
            if packet.pts is not None and packet.size and not packet.is_discard
        )
        tick = float(stream.time_base or 0)
        told = float(stream.average_rate or 0)
    if not times:
        raise DataError("holds no frames", source=path, expected="a video", found="a video track without pictures")
    first = next(decode_frames(path, (0,)))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else 0
    span = (times[-1] - times[0]) * tick
    fps = told or (len(gaps) / span if span > 0 else 0.0)
    if fps <= 0:
        raise DataError("tells no frame rate", source=path, expected="frames a second", found="nothing")
    height, width, _ = first.pixels.shape
    return VideoFile(
        path=path,
        width=width,
        height=height,
        frames=len(times),
        fps=fps,
        duration_sec=span + 1 / fps,
        variable=any(abs(gap - usual) > max(_VARIABLE_SHARE * usual, 2) for gap in gaps),
    )


def decode_frames(path: Path, indices: Collection[int]) -> Iterator[DecodedFrame]:
    """Yield frames by their index, in ascending order; nothing behind the last one is read.

    Equal files give equal pixels on every machine: the conversion to RGB uses exact arithmetic and the matrix that the
    video itself names.

    Args:
        path: The video.
        indices: Which frames, from 0.

    Raises:
        DataError: A frame is not there, or damaged; the first of them is named.
    """
    wanted = frozenset(indices)
    if not wanted:
        return
    last = max(wanted)
    count = 0
    begin: float | None = None
    with _opened(path) as (container, stream):
        rate = float(stream.average_rate or 0)
        for index, frame in enumerate(container.decode(stream)):
            count = index + 1
            second = _second(frame, index, rate)
            begin = second if begin is None else begin
            if index in wanted:
                yield DecodedFrame(index, second - begin, _pixels(frame, path, index))
            if index == last:
                return
    missing = min(index for index in wanted if index >= count)
    raise DataError(
        f"is shorter than the annotations: there is no frame {missing}",
        source=path,
        expected=f"at least {last + 1} frames",
        found=count,
    )


def picture_bytes(pixels: Pixels) -> bytes:
    """Return RGB pixels of shape (height, width, 3) as PNG, without loss; equal pixels give equal bytes."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", compress_level=_PNG_LEVEL)
    return target.getvalue()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and tell whatever the library says about it as one error that names the file."""
    import av
    from av.error import FFmpegError

    if not path.is_file():
        found = "a folder" if path.is_dir() else "a special file" if path.exists() else "nothing"
        raise DataError("is not there", source=path, expected="a video", found=found)
    try:
        with path.open("rb"), av.open(f"file:{path}", options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.video:
                raise DataError("holds no pictures", source=path, expected="a video", found="no video track")
            stream = container.streams.video[0]
            # Frames come out in the same order and with the same bytes as from one thread.
            stream.thread_type = "AUTO"
            yield container, stream
    except FFmpegError as error:
        raise DataError(
            "is no video that can be read, or a damaged one", source=path, expected="a video", found=_reason(error)
        ) from None
    except OSError as error:
        raise from_os_error(error, doing="reading the video") from None


def _reason(error: Any) -> str:
    return str(getattr(error, "strerror", None) or error)


def _second(frame: VideoFrame, index: int, rate: float) -> float:
    # Raw streams have no times; the library's types do not know of that.
    time: float | None = frame.time if frame.pts is not None else None
    if time is not None:
        return time
    return index / rate if rate > 0 else float(index)


def _pixels(frame: VideoFrame, path: Path, index: int) -> Pixels:
    import numpy as np
    from av.video.reformatter import Interpolation

    if frame.is_corrupt:
        raise DataError(f"is damaged at frame {index}", source=path, expected="a whole frame", found="a damaged one")
    if not 0 < frame.width * frame.height <= MAX_GRID_PIXELS:
        found = f"{frame.width} x {frame.height}"
        raise DataError("is too large", source=path, expected=f"at most {MAX_GRID_PIXELS} pixels", found=found)
    # The fast paths of the conversion round as each processor likes.
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
    pixels: Pixels = np.asarray(frame.reformat(format="rgb24", interpolation=exact).to_ndarray(), dtype=np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
