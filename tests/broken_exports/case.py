"""One row of the table: an export, what is wrong with it, and how prepare has to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.broken_exports.parts import Made

DATA, SETTINGS, AGAIN, DONE = 65, 78, 75, 0
# The sample is 1.6 s long, too short for the default gap of a second around each border.
SETTINGS_OF_ALL = {"SPLIT__GAP_SEC": "0"}
# Hundreds of rows need neither every format nor pictures in the report; those in processes of their own have them.
LIGHT = {"OUTPUTS__FORMATS": '["dataset"]', "REPORT__PICTURES_PER_RULE": "0"}


@dataclass(frozen=True)
class Case:
    """One broken export.

    Attributes:
        kind: The table's section.
        name: Unique in the corpus.
        broken: How it is broken, for people.
        make: Writes it into an empty folder.
        code: The exit code that is due.
        place: Of a refused one: the entry, and the field in it where there is one, as the sentence has it behind
            the export's path; "" where it is the export as a whole.
        expected: Of a refused one: what the sentence says was expected, from its beginning.
        found: Of a refused one: what it says was found, from its beginning.
        note: Of an accepted one: what the report must say; "" where nothing had to be mended, only tolerated.
        settings: Besides those of all; ``{folder}`` in a value is where the export was made.
    """

    kind: str
    name: str
    broken: str
    make: Callable[[Path], Made]
    code: int
    place: str = ""
    expected: str = ""
    found: str = ""
    note: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


class Rows(list[Case]):
    """The rows of one kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def refused(self, name, broken, make, place, expected, found, *, code=DATA, **settings):  # noqa: PLR0917  a table's row
        self.append(
            Case(self.kind, name, broken, make, code, place=place, expected=expected, found=found, settings=settings)
        )

    def repaired(self, name, broken, make, note, **settings):
        self.append(Case(self.kind, name, broken, make, DONE, note=note, settings=settings))

    def tolerated(self, name, broken, make, **settings):
        self.append(Case(self.kind, name, broken, make, DONE, settings=settings))
