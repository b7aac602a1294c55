"""What every way to write boxes has in common: objects, single boxes and outlines as text, and back."""

from __future__ import annotations

import abc
import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.conventions.labels import shortened
from sam2vlm.data_converter.instructions.seen_objects import SeenObject, as_seen
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sam2vlm.annotations import Box
    from sam2vlm.data_converter.instructions.conventions.axes import Axis
    from sam2vlm.data_converter.instructions.seen_objects import Seen

__all__ = ["NOTHING", "BoxConvention", "Outline", "ParsedObjects", "ParsedOutlines", "Piece"]

NOTHING = "none"
_NUMBER = re.compile(r"[0-9]{1,12}\.?[0-9]{0,30}|\.[0-9]{1,30}")
_CORNERS = 4
_SMALLEST_OUTLINE = 6


@dataclass(frozen=True, slots=True)
class ParsedObjects:
    """What could be read from a text.

    Attributes:
        objects: Labels and boxes ``(x, y, w, h)`` in frame pixels, in the text's order.
        problems: What could not be read, as sentences; empty for a text that the convention has written.
    """

    objects: tuple[SeenObject, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """An object's outline.

    Attributes:
        label: Its class name.
        points: ``(x, y)`` in frame pixels, in order along the outline, not closed.
    """

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ParsedOutlines:
    """What could be read from a text; as :class:`ParsedObjects`, with outlines."""

    outlines: tuple[Outline, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text.

    Attributes:
        label: What is said to be there.
        inside: The numbers as they stand, separated by commas, x before y.
        problem: Why it cannot be read, as a sentence.
    """

    label: str
    inside: str
    problem: str | None = None


class BoxConvention(abc.ABC):
    """How a family of models writes boxes; a subclass has the signs and the scale.

    Attributes:
        name: Of the convention, as manifests record it.
        description: Coordinates and their order, for people.
        native: Whether the family was trained with it; otherwise it is ours.
        native_outlines: The same of outlines.
        nothing: The text of no object at all.
        separator: Between two objects.
    """

    name: str
    description: str
    native: bool = True
    native_outlines: bool = False
    nothing: str = NOTHING
    separator: str = "; "

    @abc.abstractmethod
    def axes(self, width: int, height: int) -> tuple[Axis, Axis]:
        """Return the scales of x and y for a frame of this size in pixels."""

    @abc.abstractmethod
    def _written(self, label: str, numbers: Sequence[str]) -> str:
        """Return an object's text; the numbers are x before y."""

    @abc.abstractmethod
    def _region(self, numbers: Sequence[str]) -> str:
        """Return a box without a label."""

    @abc.abstractmethod
    def _pieces(self, text: str) -> Iterable[Piece]:
        """Take a text apart; every text can be."""

    def resolution(self, width: int, height: int) -> tuple[float, float]:
        """Return how far an edge may be off after writing and reading, across and down, in frame pixels."""
        across, down = self.axes(width, height)
        return across.resolution, down.resolution

    def format_objects(self, objects: Iterable[Seen], width: int, height: int) -> str:
        """Write objects as text, in the order given.

        Args:
            objects: With label and box ``(x, y, w, h)`` in frame pixels; without a box they are not visible and stay
                out.
            width: Of the frame in pixels.
            height: Of the frame in pixels.

        Raises:
            DataError: A label that is no Unicode text, or a box that is not finite.
        """
        axes = self.axes(width, height)
        parts = [self._written(item.label, self._numbers(_corners(item.bbox), axes)) for item in as_seen(objects)]
        return self._joined(parts) if parts else self.nothing

    def parse_objects(self, text: str, width: int, height: int) -> ParsedObjects:
        """Read objects from text; what cannot be read is reported and left out, never raised.

        Args:
            text: A model's output.
            width: Of the frame in pixels.
            height: Of the frame in pixels.

        Returns:
            Boxes clipped to the frame. A box may have no extent where the text's precision leaves none.
        """
        axes = self.axes(width, height)
        objects: list[SeenObject] = []
        problems: list[str] = []
        for piece in self._all_pieces(text):
            for numbers in self._grouped(_read_numbers(piece, axes)):
                problem = piece.problem or _box_problem(numbers, piece, axes)
                if problem is None:
                    objects.append(SeenObject(piece.label, _box(numbers, axes)))
                else:
                    problems.append(problem)
        return ParsedObjects(tuple(objects), tuple(problems) if text.strip() else ("the text is empty",))

    def format_region(self, box: Box, width: int, height: int) -> str:
        """Write one box ``(x, y, w, h)`` in frame pixels without a label, as a question names a place.

        Raises:
            DataError: It is not finite.
        """
        return self._region(self._numbers(_corners(box), self.axes(width, height)))

    def parse_region(self, text: str, width: int, height: int) -> Box | None:
        """Return the one box of a text of :meth:`format_region` in frame pixels; None where there is not one."""
        found = self.parse_objects(text, width, height)
        return found.objects[0].bbox if len(found.objects) == 1 and not found.problems else None

    def format_outline(self, outline: Outline, width: int, height: int) -> str:
        """Write an outline: as an object, with all points' coordinates where a box has two.

        Raises:
            DataError: A label that is no Unicode text, less than three points, or one that is not finite.
        """
        if len(outline.points) * 2 < _SMALLEST_OUTLINE:
            raise DataError("is no outline", expected="at least three points", found=outline.points)
        flat = tuple(itertools.chain.from_iterable(outline.points))
        return self._joined([self._written(outline.label, self._numbers(flat, self.axes(width, height)))])

    def parse_outlines(self, text: str, width: int, height: int) -> ParsedOutlines:
        """Read outlines from text; see :meth:`parse_objects`."""
        axes = self.axes(width, height)
        outlines: list[Outline] = []
        problems: list[str] = []
        for piece in self._all_pieces(text):
            numbers = _read_numbers(piece, axes)
            if piece.problem or numbers is None or len(numbers) < _SMALLEST_OUTLINE or len(numbers) % 2:
                problems.append(piece.problem or f"{shortened(piece.inside)} is no outline of three points or more")
            else:
                outlines.append(Outline(piece.label, tuple(_points(numbers, axes))))
        return ParsedOutlines(tuple(outlines), tuple(problems) if text.strip() else ("the text is empty",))

    def _all_pieces(self, text: str) -> Iterable[Piece]:
        said = text.strip().rstrip(".").casefold()
        return () if said in (NOTHING, self.nothing, "") else self._pieces(text)

    def _joined(self, parts: Sequence[str]) -> str:
        return self.separator.join(parts)

    def _numbers(self, coordinates: Sequence[float], axes: tuple[Axis, Axis]) -> list[str]:
        """Write coordinates in frame pixels, x and y in turn."""
        if not all(map(math.isfinite, coordinates)):
            raise DataError("is no box", expected="finite numbers", found=tuple(coordinates))
        return [self._number(value, axis) for value, axis in zip(coordinates, itertools.cycle(axes), strict=False)]

    def _number(self, value: float, axis: Axis) -> str:
        return str(axis.number(value))

    def _grouped(self, numbers: Sequence[float] | None) -> Iterable[Sequence[float] | None]:
        """Return the boxes that stand behind one label."""
        return (numbers,)


def _corners(box: Box) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x, y, x + w, y + h


def _box(corners: Sequence[float] | None, axes: tuple[Axis, Axis]) -> Box:
    assert corners is not None  # noqa: S101  told to mypy; _box_problem has looked
    (x1, y1), (x2, y2) = _points(corners, axes)
    return x1, y1, x2 - x1, y2 - y1


def _points(numbers: Sequence[float], axes: tuple[Axis, Axis]) -> Iterator[tuple[float, float]]:
    across, down = axes
    for x, y in zip(numbers[0::2], numbers[1::2], strict=True):
        yield across.pixel(x), down.pixel(y)


def _read_numbers(piece: Piece, axes: tuple[Axis, Axis]) -> list[float] | None:
    """Return the numbers of a piece, or None where something else is there or one is beyond the scale."""
    parts = [part.strip() for part in piece.inside.split(",")]
    if piece.problem or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = [float(part) for part in parts]
    inside = all(value <= axis.steps for value, axis in zip(numbers, itertools.cycle(axes), strict=False))
    return numbers if inside else None


def _box_problem(numbers: Sequence[float] | None, piece: Piece, axes: tuple[Axis, Axis]) -> str | None:
    if numbers is None or len(numbers) != _CORNERS:
        top = max(axis.steps for axis in axes)
        return f"{shortened(piece.inside)} is no box of four numbers from 0 to {top:g}"
    if numbers[2] < numbers[0] or numbers[3] < numbers[1]:
        return f"the box [{piece.inside}] ends before it begins"
    return None
