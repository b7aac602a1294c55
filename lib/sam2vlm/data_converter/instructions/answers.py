"""The right answer to each task, as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from sam2vlm.annotations import in_reading_order
from sam2vlm.data_converter.instructions.box_text import LlavaBoxes
from sam2vlm.data_converter.instructions.seen_objects import SeenObject, as_seen
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sam2vlm.data_converter.instructions.seen_objects import Seen

__all__ = ["TASKS", "BoxConvention", "answer_text"]

TASKS = ("detect", "count", "describe")


class BoxConvention(Protocol):
    """How a family of models writes boxes."""

    def format_objects(self, objects: Iterable[Seen], width: int, height: int) -> str:
        """Return the text of the objects, in the order given; also for none at all."""


def answer_text(
    task: str,
    objects: Iterable[Seen],
    width: int,
    height: int,
    decimals: int = 2,
    *,
    boxes: BoxConvention | None = None,
) -> str:
    """Return the answer to a task about one frame.

    Args:
        task: One of :data:`TASKS`.
        objects: Parsed annotations or the dataset's rows, in any order; the answer has reading order.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        decimals: Of LLaVA's coordinates.
        boxes: Another family's convention in place of LLaVA's.

    Raises:
        SettingsError: There is no such task.
        DataError: A label or box cannot be written.
    """
    seen = in_reading_order(as_seen(objects), lambda item: (item.bbox, item.label))
    if task == "detect":
        return (boxes or LlavaBoxes(decimals)).format_objects(seen, width, height)
    if task == "count":
        return str(len(seen))
    if task == "describe":
        return _description(seen)
    raise SettingsError("no such task", field="tasks", expected=" or ".join(TASKS), found=task)


def _description(seen: Sequence[SeenObject]) -> str:
    if not seen:
        return "There are no objects."
    counts = Counter(item.label or "object" for item in seen)
    # The most frequent first, then by name: the pre-trained model knows this order.
    parts = [f"{count} {label}" for label, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"There {'is 1 object' if len(seen) == 1 else f'are {len(seen)} objects'}: {listed}."
