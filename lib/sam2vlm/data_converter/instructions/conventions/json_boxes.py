"""``[{"bbox_2d": [x1, y1, x2, y2], "label": "..."}]``, as Qwen2.5-VL and Qwen3-VL write boxes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.conventions.axes import Axis
from sam2vlm.data_converter.instructions.conventions.convention import BoxConvention, Piece
from sam2vlm.data_converter.instructions.conventions.labels import check_label, shortened
from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Qwen3VLBoxes", "Qwen25VLBoxes", "resized_picture"]

_THOUSAND = 1000
_CORNERS = 4
_MAX_ASPECT = 200
_BOX, _OUTLINE, _LABEL = "bbox_2d", "polygon_2d", "label"
_FENCE = "```"
# A text is tried anew behind each object that cannot be read; one with so many of them is rubbish to its end.
_MOST_BROKEN = 20


class _JsonBoxes(BoxConvention):
    """A JSON list with one object each; outlines stand under a key of ours."""

    nothing = "[]"
    separator = ", "

    def _written(self, label: str, numbers: Sequence[str]) -> str:
        key = _BOX if len(numbers) == _CORNERS else _OUTLINE
        # A label that holds a special token must not become one: JSON has another way to write "<".
        said = json.dumps(check_label(label), ensure_ascii=False).replace("<", "\\u003c")
        return f'{{"{key}": {self._region(numbers)}, "{_LABEL}": {said}}}'

    def _region(self, numbers: Sequence[str]) -> str:
        return f"[{', '.join(numbers)}]"

    def _joined(self, parts: Sequence[str]) -> str:
        return f"[{self.separator.join(parts)}]"

    def _pieces(self, text: str) -> Iterable[Piece]:
        content = text.strip().removeprefix(f"{_FENCE}json").strip("` \t\r\n")
        if content.startswith("[") and "{" not in content and content != "[]":
            # A place in a question: one box without a label.
            return [Piece("", content.strip("[]"))]
        decoder, pieces, at, broken = json.JSONDecoder(), list[Piece](), 0, 0
        while (begin := content.find("{", at)) >= 0:
            try:
                value, at = decoder.raw_decode(content, begin)
            except (ValueError, RecursionError):
                pieces.append(Piece("", "", f"{shortened(content[begin : begin + 80])} is no JSON object"))
                at, broken = begin + 1, broken + 1
                if broken == _MOST_BROKEN:
                    break
            else:
                pieces.append(_piece(value))
        if not pieces and content != "[]":
            pieces.append(Piece("", "", f"{shortened(content)} holds no JSON object"))
        return pieces


@dataclass(frozen=True, slots=True)
class Qwen25VLBoxes(_JsonBoxes):
    """Absolute pixels of the picture as the model gets it: see :func:`resized_picture`.

    Attributes:
        factor: Both sides are multiples of this many pixels.
        min_pixels: Smaller pictures are enlarged; the checkpoints' own value.
        max_pixels: Larger pictures are made smaller; the checkpoints' own value, a training may set less.
    """

    factor: int = 28
    min_pixels: int = 3136
    max_pixels: int = 12_845_056
    name: str = "qwen2_5_vl"
    description: str = "JSON, [x1, y1, x2, y2] in pixels of the resized picture"

    def __post_init__(self) -> None:
        if not (self.factor > 0 and 0 < self.min_pixels <= self.max_pixels):
            raise SettingsError(
                "impossible picture sizes",
                field="max_pixels",
                expected="0 < min_pixels <= max_pixels",
                found=f"min_pixels {self.min_pixels}, max_pixels {self.max_pixels}, factor {self.factor}",
            )

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        across, down = resized_picture(
            width, height, factor=self.factor, min_pixels=self.min_pixels, max_pixels=self.max_pixels
        )
        return Axis(width, across, across, width), Axis(height, down, down, height)


@dataclass(frozen=True, slots=True)
class Qwen3VLBoxes(_JsonBoxes):
    """Integers 0-1000 of the picture."""

    name: str = "qwen3_vl"
    description: str = "JSON, [x1, y1, x2, y2], integers 0-1000 of the picture"

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        return Axis(width, _THOUSAND, _THOUSAND, width), Axis(height, _THOUSAND, _THOUSAND, height)


def resized_picture(width: int, height: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Return width and height in pixels after Qwen's own resizing (``smart_resize`` in Transformers 5.23).

    Args:
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        factor: Both sides become multiples of it.
        min_pixels: Area below which a picture is enlarged.
        max_pixels: Area above which it is made smaller.

    Raises:
        DataError: One side is more than 200 times the other; the family refuses such pictures.
    """
    longer, shorter = max(width, height), min(width, height)
    if longer > _MAX_ASPECT * shorter:
        raise DataError(
            "is too long and narrow for this family of models",
            expected=f"sides of at most {_MAX_ASPECT} to 1",
            found=f"{width} x {height}",
        )
    down, across = round(height / factor) * factor, round(width / factor) * factor
    if down * across > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        down = max(factor, math.floor(height / shrink / factor) * factor)
        across = max(factor, math.floor(width / shrink / factor) * factor)
    elif down * across < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        down = math.ceil(height * grow / factor) * factor
        across = math.ceil(width * grow / factor) * factor
    return across, down


def _piece(value: Any) -> Piece:
    numbers, label = value.get(_BOX, value.get(_OUTLINE)), value.get(_LABEL, "")
    if not isinstance(label, str) or _is_broken(label):
        return Piece("", "", f"{shortened(ascii(label))} is no label")
    if not isinstance(numbers, list):
        return Piece(label, "", f"{shortened(label)} has no box")
    return Piece(label, ", ".join(map(str, numbers)))


def _is_broken(label: str) -> bool:
    """JSON may escape half of a character, which nothing can write down afterwards."""
    return any("\ud800" <= character <= "\udfff" for character in label)
