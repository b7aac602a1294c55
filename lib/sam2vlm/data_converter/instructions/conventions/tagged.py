"""Conventions that put label and box between tags: Qwen2-VL's and InternVL's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.conventions.axes import Axis
from sam2vlm.data_converter.instructions.conventions.convention import BoxConvention, Piece
from sam2vlm.data_converter.instructions.conventions.labels import LabelText, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["InternVLBoxes", "Qwen2VLBoxes"]

_LABELS = LabelText("<>")
_THOUSAND = 1000
_BETWEEN = " \t\r\n,;."


@dataclass(frozen=True, slots=True)
class _Tags:
    """What opens and closes a label and its boxes."""

    label: str
    label_end: str
    box: str
    box_end: str

    def split(self, text: str) -> list[str]:
        """Return tags and what stands between them, in turn."""
        return re.split(
            "(" + "|".join(map(re.escape, (self.label, self.label_end, self.box, self.box_end))) + ")", text
        )


class _Tagged(BoxConvention):
    """Integers 0-1000 of the picture, in tags."""

    separator = ""
    tags: _Tags

    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """See :class:`BoxConvention`."""
        return Axis(width, _THOUSAND, _THOUSAND, width), Axis(height, _THOUSAND, _THOUSAND, height)

    def _written(self, label: str, numbers: Sequence[str]) -> str:
        return f"{self.tags.label}{_LABELS.write(label)}{self.tags.label_end}{self._region(numbers)}"

    def _pieces(self, text: str) -> Iterable[Piece]:
        reader = _Reader(self.tags)
        for part in self.tags.split(text):
            reader.take(part)
        reader.end("the end")
        return reader.pieces


@dataclass(slots=True)
class _Reader:
    """Reads tags one after the other; a label may have several boxes."""

    tags: _Tags
    pieces: list[Piece] = field(default_factory=list)
    label: str = ""
    inside: str | None = None
    in_label: bool = False
    wants_box: bool = False

    def take(self, part: str) -> None:
        if part == self.tags.label:
            self.end(part)
            self.label, self.in_label, self.wants_box = "", True, True
        elif part == self.tags.label_end:
            self.in_label = False
        elif part == self.tags.box:
            self._unclosed(part)
            self.inside, self.in_label, self.wants_box = "", False, False
        elif part == self.tags.box_end:
            self._box()
        elif self.inside is not None:
            self.inside += part
        elif self.in_label:
            self.label = part
        elif part.strip(_BETWEEN):
            self.pieces.append(Piece("", "", f"{shortened(part.strip())} stands outside of any object"))

    def end(self, at: str) -> None:
        """The object is over: say what it lacks."""
        self._unclosed(at)
        if self.wants_box:
            self.pieces.append(Piece(self.label, "", f"{shortened(self.label)} has no box"))
        self.label, self.in_label, self.wants_box = "", False, False

    def _unclosed(self, at: str) -> None:
        if self.inside is not None:
            self.pieces.append(Piece(self.label, "", f"the box of {shortened(self.label)} is not closed before {at}"))
        self.inside = None

    def _box(self) -> None:
        if self.inside is None:
            self.pieces.append(Piece("", "", "a box ends that has not begun"))
            return
        for inside in _boxes(self.inside):
            self.pieces.append(Piece(_LABELS.read(self.label), inside))
        self.inside = None


def _boxes(inside: str) -> list[str]:
    """Return the numbers of each box: ``(x1,y1),(x2,y2)`` is one, ``[[...], [...]]`` are as many as it has lists."""
    text = inside.strip()
    if text.startswith("[[") and text.endswith("]]"):
        return [part.strip() for part in re.split(r"\]\s*,\s*\[", text[2:-2])]
    return [", ".join(part.strip() for part in re.sub("[()]", "", text).split(","))]


@dataclass(frozen=True, slots=True)
class Qwen2VLBoxes(_Tagged):
    """``<|object_ref_start|>label<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>``."""

    name: str = "qwen2_vl"
    description: str = "(x1,y1),(x2,y2) between box tokens, integers 0-1000 of the picture"
    tags: _Tags = _Tags("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>")

    def _region(self, numbers: Sequence[str]) -> str:
        points = zip(numbers[0::2], numbers[1::2], strict=True)
        return self.tags.box + ",".join(f"({x},{y})" for x, y in points) + self.tags.box_end


@dataclass(frozen=True, slots=True)
class InternVLBoxes(_Tagged):
    """``<ref>label</ref><box>[[x1, y1, x2, y2]]</box>``."""

    name: str = "internvl"
    description: str = "[[x1, y1, x2, y2]] between box tags, integers 0-1000 of the original picture"
    tags: _Tags = _Tags("<ref>", "</ref>", "<box>", "</box>")

    def _region(self, numbers: Sequence[str]) -> str:
        return f"{self.tags.box}[[{', '.join(numbers)}]]{self.tags.box_end}"
