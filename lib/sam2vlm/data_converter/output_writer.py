"""One pass over the frames that feeds every output: a picture is read once, whatever is made of it."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sam2vlm.data_converter.instructions.general_data import GeneralFrame
from sam2vlm.data_converter.pictures import picture_extension
from sam2vlm.errors import DataError
from sam2vlm.logs import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions import Instruction

__all__ = [
    "Ask",
    "Named",
    "OutputWriter",
    "Sample",
    "Write",
    "finished",
    "picture_name",
    "read_picture",
    "write_outputs",
    "write_split",
]


_NO_NAMES = frozenset(("", ".", ".."))
_NO_SIGNS = frozenset("\\:\0\n\r")
_AHEAD = 4
_LONGEST_NAME = 255  # bytes, of the file systems that people use


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame as writers get it.

    Attributes:
        frame: With its objects.
        picture: The picture's bytes as they are stored; empty where it is stored already and only named.
        instructions: What is asked about it.
        stored_name: The picture's name in the picture folder, where it is there already.
    """

    frame: Frame
    picture: bytes
    instructions: Sequence[Instruction]
    stored_name: str | None = None

    @property
    def picture_name(self) -> str:
        """What the picture is called in the picture folder.

        Raises:
            DataError: As :func:`picture_name`.
        """
        return self.stored_name or picture_name(self.frame, self.picture)

    @property
    def annotated(self) -> bool:
        """Whether the frame says what can be seen in it; a picture of general data does not, so it shows no example."""
        return not isinstance(self.frame, GeneralFrame)


Write: TypeAlias = Callable[[Sample], None]
#: Returns what is asked about a frame.
Ask: TypeAlias = "Callable[[Frame], Sequence[Instruction]]"
#: Returns the name under which a frame's picture is stored already; None where it is not.
Named: TypeAlias = "Callable[[Frame], str | None]"


class OutputWriter(Protocol):
    """Writes one output, split by split."""

    def split(self, split: str) -> AbstractContextManager[Write]:
        """Open a split.

        Yields what writes a sample of it. Leaving the block closes its files; leaving it by an error leaves none of
        them under its final name.
        """

    def finish(self) -> Mapping[str, Any]:
        """Write what concerns all splits, after the last one.

        Returns:
            What people should know of this output (counts, conventions), as JSON values.
        """


def write_outputs(
    splits: Mapping[str, Sequence[Frame]], writers: Mapping[str, OutputWriter], *, ask: Ask
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, Any]]]:
    """Write every output in one pass, with progress.

    Pictures are read one by one, each once, and handed on as they are, so that the memory stays flat.

    Args:
        splits: The frames of each split, by its name, in the order in which they are written.
        writers: By the output's name.
        ask: What is asked about a frame.

    Returns:
        Instructions by split and task, and what each writer says of its output.

    Raises:
        DataError: A split is empty, or a picture is missing or damaged.
    """
    for split, frames in splits.items():
        _require_frames(split, frames)
    with progress(sum(map(len, splits.values())), "writing the dataset", "frames") as advance:
        asked = {
            split: write_split(split, frames, writers.values(), ask=ask, advance=advance)
            for split, frames in splits.items()
        }
    return asked, finished(writers)


def write_split(
    split: str,
    frames: Sequence[Frame],
    writers: Collection[OutputWriter],
    *,
    ask: Ask,
    advance: Callable[[int], None] | None = None,
    named: Named | None = None,
) -> dict[str, int]:
    """Write one split of some outputs; see :func:`write_outputs`.

    Args:
        split: Its name.
        frames: In the order in which they are written.
        writers: Of the outputs.
        ask: What is asked about a frame.
        advance: Takes the number of frames just written.
        named: For writers that only name pictures: one that is stored already is not read.

    Returns:
        Instructions by task.

    Raises:
        DataError: The split is empty, or a picture is missing or damaged.
    """
    _require_frames(split, frames)
    tasks: Counter[str] = Counter()
    with contextlib.ExitStack() as opened:
        writes = [opened.enter_context(writer.split(split)) for writer in writers]
        for frame, picture, name in _read_ahead(frames, named or _unknown):
            sample = Sample(frame, picture, ask(frame), name)
            for write in writes:
                write(sample)
            tasks.update(item.task for item in sample.instructions)
            if advance is not None:
                advance(1)
    return dict(sorted(tasks.items()))


def finished(writers: Mapping[str, OutputWriter]) -> dict[str, dict[str, Any]]:
    """Write what concerns all splits, and return what each writer says of its output."""
    return {name: dict(writer.finish()) for name, writer in writers.items()}


def read_picture(frame: Frame) -> bytes:
    """Return the frame's picture as it is stored.

    Raises:
        DataError: There is none, it is damaged, or it is neither PNG nor JPEG.
    """
    if frame.read_image is None:
        raise DataError("has no picture", source=frame.sample_id, expected="a picture to convert", found="none")
    content = frame.read_image()
    if picture_extension(content) is None:
        raise DataError("is no picture", source=frame.image_name or frame.sample_id, expected="a PNG or JPEG")
    return content


def picture_name(frame: Frame, content: bytes) -> str:
    """Return ``<video_id>/<frame index>`` with the extension that the picture's bytes themselves ask for.

    Raises:
        DataError: The video's id is no name for a folder, or would lead out of the one it is in.
    """
    _check_folder(frame.video_id)
    return f"{frame.sample_id}{picture_extension(content)}"


def _require_frames(split: str, frames: Sequence[Frame]) -> None:
    if not frames:
        raise DataError(f"the {split} split is empty", expected="at least one frame", found="none")


def _unknown(_frame: Frame) -> None:
    return None


def _check_folder(video_id: str) -> None:
    # A file's own id of its video is text from outside.
    parts = video_id.split("/")
    if any(part in _NO_NAMES or len(part.encode()) > _LONGEST_NAME for part in parts) or _NO_SIGNS & set(video_id):
        raise DataError("is no name for a folder", field="video_id", expected="letters and digits", found=video_id)


def _read_ahead(frames: Iterable[Frame], named: Named) -> Iterator[tuple[Frame, bytes, str | None]]:
    """Yield each frame with its picture, or with the name of one that need not be read; the next are read meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as pool:
        ahead: deque[tuple[Frame, Future[bytes] | None, str | None]] = deque()
        try:
            for frame in frames:
                name = named(frame)
                ahead.append((frame, pool.submit(read_picture, frame) if name is None else None, name))
                if len(ahead) > _AHEAD:
                    yield _had(*ahead.popleft())
            while ahead:
                yield _had(*ahead.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _had(frame: Frame, reading: Future[bytes] | None, name: str | None) -> tuple[Frame, bytes, str | None]:
    return frame, b"" if reading is None else reading.result(), name
