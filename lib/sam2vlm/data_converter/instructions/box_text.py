r"""Boxes as text and back, after LLaVA's convention, without a model.

``label [x1, y1, x2, y2]; label [x1, y1, x2, y2]`` with coordinates 0-1 of the picture padded to a square, as LLaVA's
own processor pads it; ``none`` where there is nothing. A label may be any text: ``\``, ``[``, ``]``, ``;`` and blanks
at its ends carry a ``\`` before them, so that an unescaped bracket always opens or closes a box.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.seen_objects import SeenObject, as_seen
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sam2vlm.annotations import Box
    from sam2vlm.data_converter.instructions.seen_objects import Seen

__all__ = ["NOTHING", "LlavaBoxes", "ParsedObjects", "format_objects", "parse_objects"]

NOTHING = "none"
_MAX_DECIMALS = 6
_SPECIAL = re.compile(r"[\\\[\];]")
# An escaped character, a special one, or a stretch of others; every text is a sequence of these.
_PART = re.compile(r"\\.|[\[\];]|[^\\\[\];]+|\\", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,12}\.?[0-9]{0,30}|\.[0-9]{1,30}")


@dataclass(frozen=True, slots=True)
class ParsedObjects:
    """What could be read from a text.

    Attributes:
        objects: Labels and boxes ``(x, y, w, h)`` in frame pixels, in the text's order.
        problems: What could not be read, as sentences; empty for a text of :func:`format_objects`.
    """

    objects: tuple[SeenObject, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LlavaBoxes:
    """LLaVA's box convention as an object, for functions that serve several families.

    Attributes:
        decimals: Digits of a coordinate after the point.
    """

    decimals: int = 2
    name: str = "llava"
    description: str = "[x1, y1, x2, y2], 0-1 of the picture padded to a square"

    def format_objects(self, objects: Iterable[Seen], width: int, height: int) -> str:
        """See :func:`format_objects`."""
        return format_objects(objects, width, height, self.decimals)

    def parse_objects(self, text: str, width: int, height: int) -> ParsedObjects:
        """See :func:`parse_objects`."""
        return parse_objects(text, width, height)


def format_objects(objects: Iterable[Seen], width: int, height: int, decimals: int = 2) -> str:
    """Write objects as text, in the order given.

    Args:
        objects: With label and box ``(x, y, w, h)`` in frame pixels; those without a box are not visible and stay out.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        decimals: Digits after the point, 1 to 6. Coordinates end below 1 (0.99 with two digits): the tiny model has
            one token for each of 0.00 to 0.99.

    Raises:
        DataError: A label that is no Unicode text, or a box that is not finite.
        SettingsError: Impossible decimals.
    """
    if not 1 <= decimals <= _MAX_DECIMALS:
        raise SettingsError("impossible precision", field="decimals", expected=f"1 to {_MAX_DECIMALS}", found=decimals)
    square = _Square(width, height)
    parts = [
        f"{_escaped(item.label)} [{', '.join(_coordinate(value, decimals) for value in square.corners(item.bbox))}]"
        for item in as_seen(objects)
    ]
    return "; ".join(parts) if parts else NOTHING


def parse_objects(text: str, width: int, height: int) -> ParsedObjects:
    """Read objects from text; what cannot be read is reported and left out, never raised.

    Args:
        text: A model's output.
        width: Of the frame in pixels.
        height: Of the frame in pixels.

    Returns:
        Boxes clipped to the frame. A box may have no extent where the text's precision leaves none.
    """
    square = _Square(width, height)
    objects: list[SeenObject] = []
    problems: list[str] = []
    if text.strip().rstrip(".").casefold() == NOTHING:
        return ParsedObjects((), ())
    if not text.strip():
        return ParsedObjects((), ("the text is empty",))
    for label, inside, problem in _pieces(text):
        corners = None if problem else _corners(inside)
        if corners is None:
            problems.append(problem or f"{_short(inside)} is no box of four numbers from 0 to 1")
        elif corners[2] < corners[0] or corners[3] < corners[1]:
            problems.append(f"the box [{inside}] ends before it begins")
        else:
            objects.append(SeenObject(label, square.box(corners)))
    return ParsedObjects(tuple(objects), tuple(problems))


class _Square:
    """A frame inside of the square that it is padded to, as LLaVA's processor does it: ``(side - shorter) // 2``."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._side = max(width, height)
        self._left = (self._side - width) // 2
        self._top = (self._side - height) // 2

    def corners(self, box: Box) -> tuple[float, float, float, float]:
        x, y, w, h = box
        if not all(map(math.isfinite, box)):
            raise DataError("is no box", expected="finite numbers", found=box)
        return (
            (x + self._left) / self._side,
            (y + self._top) / self._side,
            (x + w + self._left) / self._side,
            (y + h + self._top) / self._side,
        )

    def box(self, corners: tuple[float, float, float, float]) -> Box:
        x1, x2 = (min(max(value * self._side - self._left, 0.0), self._width) for value in corners[0::2])
        y1, y2 = (min(max(value * self._side - self._top, 0.0), self._height) for value in corners[1::2])
        return x1, y1, x2 - x1, y2 - y1


def _coordinate(value: float, decimals: int) -> str:
    return f"{min(max(value, 0.0), 1 - 10**-decimals):.{decimals}f}"


def _escaped(label: str) -> str:
    try:
        label.encode()
    except UnicodeEncodeError:
        raise DataError("is no label", expected="Unicode without lone surrogates", found=ascii(label)) from None
    inner = label.strip()
    if not inner:
        return "".join(f"\\{character}" for character in label)
    before, _, after = label.partition(inner)
    ends = ("".join(f"\\{character}" for character in blank) for blank in (before, after))
    return _SPECIAL.sub(r"\\\g<0>", inner).join(ends)


def _unescaped(raw: str) -> str:
    text = raw.strip()
    kept = raw.lstrip()
    slashes = len(text) - len(text.rstrip("\\"))
    # A blank after a single backslash belongs to the label; strip took it for one between label and box.
    if slashes % 2 and len(kept) > len(text):
        text = kept[: len(text) + 1]
    return _ESCAPED.sub(r"\1", text)


def _pieces(text: str) -> list[tuple[str, str, str | None]]:
    """Cut a text into (label, inside of the brackets, problem)."""
    pieces: list[tuple[str, str, str | None]] = []
    label: list[str] = []
    inside: list[str] | None = None
    for part in _PART.findall(text):
        if inside is None and part == "[":
            inside = []
        elif inside is not None and part == "]":
            pieces.append((_unescaped("".join(label)), "".join(inside).strip(), None))
            label, inside = [], None
        elif part in ("[", "]", ";"):
            _report(pieces, label, inside, part)
            label, inside = [], None
        else:
            (label if inside is None else inside).append(part)
    _report(pieces, label, inside, "the end")
    return pieces


def _report(pieces: list[tuple[str, str, str | None]], label: list[str], inside: list[str] | None, at: str) -> None:
    said = "".join(label).strip()
    if inside is not None:
        pieces.append((said, "", f"the box of {_short(said)} is not closed before {at}"))
    elif said:
        pieces.append((said, "", f"{_short(said)} has no box"))
    elif at == "]":
        pieces.append((said, "", "a bracket closes that none has opened"))


def _corners(inside: str) -> tuple[float, float, float, float] | None:
    parts = [part.strip() for part in inside.split(",")]
    if len(parts) != 4 or not all(_NUMBER.fullmatch(part) for part in parts):  # noqa: PLR2004  four corners
        return None
    x1, y1, x2, y2 = map(float, parts)
    return (x1, y1, x2, y2) if max(x1, y1, x2, y2) <= 1 else None


def _short(text: str, limit: int = 40) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
