"""Conventions that have a token for each place: PaliGemma's and Florence-2's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.conventions.axes import Axis
from sam2vlm.data_converter.instructions.conventions.convention import BoxConvention, Piece
from sam2vlm.data_converter.instructions.conventions.labels import LabelText, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FlorenceBoxes", "PaliGemmaBoxes"]

_LABELS = LabelText("<>;", empty=r"\0")
_CORNERS = 4
# A place, a mask's code, an escaped character, the end of an object, or a stretch of others.
_PART = re.compile(r"<loc_?[0-9]{1,4}>|<seg[0-9]{3}>|\\.|;|[^\\<;]+|.", re.DOTALL)
_PLACE = re.compile(r"<loc_?([0-9]{1,4})>")


@dataclass(frozen=True, slots=True)
class PaliGemmaBoxes(BoxConvention):
    """``<locY1><locX1><locY2><locX2> label ; ...``, y first, 1024 bins.

    Masks as ``<segNNN>`` tokens need the weights of PaliGemma's own VQ-VAE; without them an outline is written as
    its points, y first, and codes in a model's answer are passed over.
    """

    name: str = "paligemma"
    description: str = "<locY1><locX1><locY2><locX2>, y first, 1024 bins of the picture"
    separator: str = " ; "
    bins: int = 1024

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        return Axis(width, self.bins, self.bins - 1, width), Axis(height, self.bins, self.bins - 1, height)

    def _number(self, value: float, axis: Axis) -> str:
        return f"<loc{axis.number(value):04d}>"

    def _region(self, numbers: Sequence[str]) -> str:
        return "".join(y + x for x, y in zip(numbers[0::2], numbers[1::2], strict=True))

    def _written(self, label: str, numbers: Sequence[str]) -> str:
        return f"{self._region(numbers)} {_LABELS.write(label)}"

    def _pieces(self, text: str) -> Iterable[Piece]:
        places: list[str] = []
        label: list[str] = []
        pieces: list[Piece] = []

        def end() -> None:
            said = "".join(label)
            if places:
                turned = [place for y, x in zip(places[0::2], places[1::2], strict=False) for place in (x, y)]
                # A place too many stays there and is no box then.
                pieces.append(Piece(_LABELS.read(said), ", ".join([*turned, *places[len(turned) :]])))
            elif said.strip():
                pieces.append(Piece(said.strip(), "", f"{shortened(said.strip())} has no box"))
            places.clear()
            label.clear()

        for part in _PART.findall(text):
            place = _PLACE.fullmatch(part)
            if place:
                if "".join(label).strip():
                    end()
                places.append(place[1])
            elif part == ";":
                end()
            elif not part.startswith("<seg"):
                label.append(part)
        end()
        return pieces


@dataclass(frozen=True, slots=True)
class FlorenceBoxes(BoxConvention):
    """``label<loc_x1><loc_y1><loc_x2><loc_y2>``, 1000 bins; several boxes may stand behind one label."""

    name: str = "florence2"
    description: str = "<loc_x1><loc_y1><loc_x2><loc_y2>, 1000 bins of the picture, read as their middles"
    native_outlines: bool = True
    separator: str = ""
    bins: int = 1000

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        return (
            Axis(width, self.bins, self.bins - 1, width, floors=True),
            Axis(height, self.bins, self.bins - 1, height, floors=True),
        )

    def _number(self, value: float, axis: Axis) -> str:
        return f"<loc_{axis.number(value)}>"

    def _region(self, numbers: Sequence[str]) -> str:
        return "".join(numbers)

    def _written(self, label: str, numbers: Sequence[str]) -> str:
        return f"{_LABELS.write(label)}{self._region(numbers)}"

    def _pieces(self, text: str) -> Iterable[Piece]:
        pieces: list[Piece] = []
        places: list[str] = []
        label: list[str] = []
        for part in _PART.findall(text):
            place = _PLACE.fullmatch(part)
            if place:
                places.append(place[1])
            elif places and part.strip():
                pieces.append(Piece(_LABELS.read("".join(label)), ", ".join(places)))
                places, label = [], [part]
            else:
                label.append(part)
        said = "".join(label)
        if places:
            pieces.append(Piece(_LABELS.read(said), ", ".join(places)))
        elif said.strip():
            pieces.append(Piece(said.strip(), "", f"{shortened(said.strip())} has no box"))
        return pieces

    def _grouped(self, numbers: Sequence[float] | None) -> Iterable[Sequence[float] | None]:
        if numbers is None or not numbers or len(numbers) % _CORNERS:
            return (numbers,)
        return [numbers[at : at + _CORNERS] for at in range(0, len(numbers), _CORNERS)]
