r"""``label [x1, y1, x2, y2]; label [x1, y1, x2, y2]`` with coordinates 0-1, as LLaVA writes boxes.

LLaVA counts on the picture padded to a square, as its own processor pads it: ``(side - shorter) // 2`` before the
frame. Families without a convention of their own get the same text on the frame as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.conventions.axes import Axis
from sam2vlm.data_converter.instructions.conventions.convention import BoxConvention, Piece
from sam2vlm.data_converter.instructions.conventions.labels import LabelText, shortened
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FrameFractions", "LlavaBoxes"]

_MAX_DECIMALS = 6
_LABELS = LabelText("[];")
# An escaped character, a special one, or a stretch of others; every text is a sequence of these.
_PART = re.compile(r"\\.|[\[\];]|[^\\\[\];]+|\\", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FrameFractions(BoxConvention):
    """0-1 of the frame.

    Attributes:
        decimals: Digits of a coordinate after the point, 1 to 6. Coordinates end below 1 (0.99 with two digits).

    Raises:
        SettingsError: Impossible decimals.
    """

    decimals: int = 2
    name: str = "frame_fractions"
    description: str = "[x1, y1, x2, y2], 0-1 of the picture"
    native: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.decimals <= _MAX_DECIMALS:
            raise SettingsError(
                "impossible precision", field="decimals", expected=f"1 to {_MAX_DECIMALS}", found=self.decimals
            )

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        return self._axis(width, width), self._axis(height, height)

    def resolution(self, width: int, height: int) -> tuple[float, float]:
        """See :class:`BoxConvention`."""
        across, down = self.axes(width, height)
        # A whole step: the far edge is written one step below 1.
        return across.length * 10**-self.decimals, down.length * 10**-self.decimals

    def _axis(self, size: int, length: int) -> Axis:
        return Axis(size=size, steps=1.0, last=1 - 10**-self.decimals, length=length, before=(length - size) // 2)

    def _number(self, value: float, axis: Axis) -> str:
        return f"{min(max(axis.units(value), 0.0), axis.last):.{self.decimals}f}"

    def _written(self, label: str, numbers: Sequence[str]) -> str:
        return f"{_LABELS.write(label)} {self._region(numbers)}"

    def _region(self, numbers: Sequence[str]) -> str:
        return f"[{', '.join(numbers)}]"

    def _pieces(self, text: str) -> list[Piece]:
        pieces: list[Piece] = []
        label: list[str] = []
        inside: list[str] | None = None
        for part in _PART.findall(text):
            if inside is None and part == "[":
                inside = []
            elif inside is not None and part == "]":
                pieces.append(Piece(_LABELS.read("".join(label)), "".join(inside).strip()))
                label, inside = [], None
            elif part in ("[", "]", ";"):
                _report(pieces, label, inside, part)
                label, inside = [], None
            else:
                (label if inside is None else inside).append(part)
        _report(pieces, label, inside, "the end")
        return pieces


@dataclass(frozen=True, slots=True)
class LlavaBoxes(FrameFractions):
    """0-1 of the picture padded to a square.

    The tiny model has one token for each of 0.00 to 0.99.
    """

    name: str = "llava"
    description: str = "[x1, y1, x2, y2], 0-1 of the picture padded to a square"
    native: bool = True

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        side = max(width, height)
        return self._axis(width, side), self._axis(height, side)


def _report(pieces: list[Piece], label: list[str], inside: list[str] | None, at: str) -> None:
    said = "".join(label).strip()
    if inside is not None:
        pieces.append(Piece(said, "", f"the box of {shortened(said)} is not closed before {at}"))
    elif said:
        pieces.append(Piece(said, "", f"{shortened(said)} has no box"))
    elif at == "]":
        pieces.append(Piece(said, "", "a bracket closes that none has opened"))
