"""An object as instructions see it: a label and a box, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sam2vlm.annotations import Box

__all__ = ["LabelledBox", "Seen", "SeenObject", "as_seen"]


@dataclass(frozen=True, slots=True)
class SeenObject:
    """A visible object.

    Attributes:
        label: Its class name.
        bbox: ``(x, y, w, h)`` in frame pixels.
    """

    label: str
    bbox: Box


class LabelledBox(Protocol):
    """Anything with a label and a box; without a box it is not visible."""

    @property
    def label(self) -> str:
        """The class name."""

    @property
    def bbox(self) -> Box | None:
        """``(x, y, w, h)`` in frame pixels."""


# A parsed annotation, or a row of the dataset's objects.
Seen: TypeAlias = "LabelledBox | Mapping[str, Any]"


def as_seen(objects: Iterable[Seen]) -> list[SeenObject]:
    """Return the visible ones, in the order given."""
    found = []
    for item in objects:
        label, box = (item["label"], item["bbox"]) if isinstance(item, Mapping) else (item.label, item.bbox)
        if box is not None:
            x, y, w, h = box
            found.append(SeenObject(label, (x, y, w, h)))
    return found
