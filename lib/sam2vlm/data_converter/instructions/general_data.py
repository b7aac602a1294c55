"""Conversations from elsewhere, mixed in so that a model does not forget everything but this dataset.

The file is JSON lines of OpenAI-style messages, as TRL, LLaMA-Factory and ms-swift read them: a row has ``messages``
with one question and one answer, and one picture, either as a part of the question's content or under ``images``.
"""

from __future__ import annotations

import functools
import heapq
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import Frame
from sam2vlm.artifacts import digest_of_file
from sam2vlm.data_converter.instructions.answers import GENERAL
from sam2vlm.data_converter.instructions.instruction import Instruction
from sam2vlm.data_converter.instructions.seeded import uniform
from sam2vlm.data_converter.instructions.slots import escaped
from sam2vlm.errors import DataError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["GeneralData", "GeneralFrame", "read_general_data"]

_PLACEHOLDER = "<image>"
# ISO 639-2: undetermined.
_ANY_LANGUAGE = "und"
_MAX_LINE = 1_000_000
_MAX_PICTURE = 64_000_000


@dataclass(frozen=True, slots=True)
class GeneralFrame(Frame):
    """A picture from elsewhere with its one question; it says nothing about objects.

    Attributes:
        instruction: The question and its answer, without places.
    """

    instruction: Instruction | None = None


@dataclass(frozen=True, slots=True)
class GeneralData:
    """What was chosen from a file.

    Attributes:
        frames: In the file's order.
        seen: Rows of the file.
        left_out: Rows that cannot be trained on, by reason.
        digest: Of the file.
    """

    frames: tuple[GeneralFrame, ...]
    seen: int
    left_out: Mapping[str, int]
    digest: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a file, for messages."""

    path: Path
    number: int

    def wrong(self, field: str, what: str, *, expected: str, found: object) -> DataError:
        place = f"line {self.number}: {field}" if field else f"line {self.number}"
        return DataError(what, source=self.path, field=place, expected=expected, found=found)

    def unicode(self, field: str, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.wrong(field, "is no Unicode text", expected="no lone surrogates", found=ascii(text)) from None
        return text


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that can be trained on."""

    line: _Line
    question: str
    answer: str
    picture: str


def read_general_data(path: Path, *, wanted: int, seed: int) -> GeneralData:
    """Check every row of a file and choose some by chance.

    Rows of several turns or pictures, without a picture, or with a system prompt are left out and counted: training
    takes one picture, one question and one answer.

    Args:
        path: JSON lines; pictures are named relative to its folder.
        wanted: At most so many rows.
        seed: Of the choice.

    Raises:
        DataError: A row or a picture is wrong; file, line and field are named.
    """
    left_out: Counter[str] = Counter()
    seen = 0
    drawn: list[tuple[float, int, _Row]] = []
    try:
        digest = digest_of_file(path)
        for line, raw in _lines(path):
            seen += 1
            row = _read(raw, line)
            if isinstance(row, str):
                left_out[row] += 1
                continue
            _size(row)
            # A heap of the smallest lots, negative because heapq knows the smallest only.
            heapq.heappush(drawn, (-uniform(seed, GENERAL, digest, str(line.number)), line.number, row))
            if len(drawn) > wanted:
                heapq.heappop(drawn)
                left_out["not_drawn"] += 1
    except OSError as error:
        raise from_os_error(error, doing="reading the general data") from None
    rows = sorted((row for _lot, _number, row in drawn), key=lambda row: row.line.number)
    return GeneralData(tuple(_frame(row, digest) for row in rows), seen, dict(sorted(left_out.items())), digest)


def _lines(path: Path) -> Iterator[tuple[_Line, bytes]]:
    with path.open("rb") as stream:
        number = 0
        while raw := stream.readline(_MAX_LINE + 1):
            number += 1
            line = _Line(path, number)
            if len(raw) > _MAX_LINE:
                raise line.wrong("", "is too long", expected=f"at most {_MAX_LINE} bytes", found="more")
            if raw.strip():
                yield line, raw


def _read(raw: bytes, line: _Line) -> _Row | str:
    """Return a row, or the reason for leaving it out."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise line.wrong("", "is no JSON", expected="an object", found=error) from None
    if not isinstance(value, dict):
        raise line.wrong("", "is no row", expected="an object with messages", found=_kind(value))
    messages, images = value.get("messages"), value.get("images", [])
    if not isinstance(messages, list) or not messages:
        raise line.wrong("messages", "are no messages", expected="a list of messages", found=_kind(messages))
    if not isinstance(images, list):
        raise line.wrong("images", "is no list of pictures", expected="a list of paths", found=_kind(images))
    turns = [_turn(message, line, f"messages[{number}]") for number, message in enumerate(messages)]
    return _reason(turns, images) or _row(turns, images, line)


def _reason(turns: Sequence[_Turn], images: Sequence[Any]) -> str | None:
    roles = [turn.role for turn in turns]
    if "system" in roles:
        return "system_prompt"
    if roles != ["user", "assistant"]:
        return "not_one_question_and_answer"
    pictures = len(turns[0].pictures) + len(images)
    if pictures > 1 or turns[1].pictures:
        return "several_pictures"
    return None if pictures else "no_picture"


def _row(turns: Sequence[_Turn], images: Sequence[Any], line: _Line) -> _Row:
    said = [turn.text.replace(_PLACEHOLDER, "").strip() for turn in turns]
    for number, text in enumerate(said):
        if not text:
            raise line.wrong(f"messages[{number}].content", "is empty", expected="a text", found="nothing")
    (name,) = [*turns[0].pictures, *images]
    if not isinstance(name, str) or not name or "\x00" in name:
        raise line.wrong("picture", "is no path", expected="a path relative to the file", found=_kind(name))
    folder = line.path.parent.resolve()
    if name.startswith("/") or ":" in name or not (folder / name).resolve().is_relative_to(folder):
        raise line.wrong(
            "picture", "leads outside of the file's folder", expected="a path relative to the file", found=name
        )
    return _Row(line, said[0], said[1], line.unicode("picture", name))


@dataclass(frozen=True, slots=True)
class _Turn:
    """A message."""

    role: str
    text: str
    pictures: tuple[Any, ...] = ()


def _turn(message: Any, line: _Line, field: str) -> _Turn:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("system", "user", "assistant"):
        raise line.wrong(f"{field}.role", "is no role", expected="system, user or assistant", found=role)
    content = message.get("content")
    if isinstance(content, str):
        return _Turn(role, line.unicode(f"{field}.content", content))
    if not isinstance(content, list):
        raise line.wrong(
            f"{field}.content", "is no content", expected="a text or a list of parts", found=_kind(content)
        )
    texts: list[str] = []
    pictures: list[Any] = []
    for number, part in enumerate(content):
        place = f"{field}.content[{number}]"
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(line.unicode(place, text))
            case {"type": "image_url", "image_url": {"url": picture}} | {"type": "image", "image": picture}:
                pictures.append(picture)
            case {"type": "image"}:
                pass  # named in images
            case _:
                raise line.wrong(
                    place, "is no part of a message", expected="text, image_url or image", found=_kind(part)
                )
    return _Turn(role, "\n".join(texts), tuple(pictures))


def _frame(row: _Row, digest: str) -> GeneralFrame:
    width, height = _size(row)
    return GeneralFrame(
        video_id=f"{GENERAL}-{digest[:12]}",
        frame_index=row.line.number,
        timestamp_sec=0.0,
        width=width,
        height=height,
        objects=(),
        image_name=row.picture,
        read_image=functools.partial(_content, row.line.path.parent / row.picture),
        instruction=Instruction(GENERAL, escaped(row.question), _ANY_LANGUAGE, answer=escaped(row.answer)),
    )


def _size(row: _Row) -> tuple[int, int]:
    """Return width and height of a row's picture in pixels, from its head."""
    from PIL import Image, UnidentifiedImageError

    path = row.line.path.parent / row.picture
    try:
        size = path.stat().st_size
        if size > _MAX_PICTURE:
            raise row.line.wrong("picture", "is too large", expected=f"at most {_MAX_PICTURE} bytes", found=size)
        with Image.open(path, formats=("PNG", "JPEG")) as opened:
            return opened.size
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        found = "something else"
    except (OSError, ValueError, SyntaxError) as error:
        found = str(getattr(error, "strerror", None) or error).lower()
    raise row.line.wrong("picture", "is no picture", expected="a PNG or JPEG", found=f"{found} at {row.picture}")


def _content(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise from_os_error(error, doing="reading the general data") from None


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
