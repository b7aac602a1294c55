"""From an answer's text back to boxes in frame pixels and to a number; what cannot be read is kept and counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = ["Reading", "read_count", "read_objects", "reading_summary"]

EXAMPLES = 3
NUMBER = re.compile(r"(?<![\d.,-])\d{1,9}(?!\d|[.,]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read from one answer.

    Attributes:
        objects: The boxes of an answer to the detect question, in frame pixels.
        count: The number of an answer to the count question; None where there is none, or more than one.
        unreadable: A sentence for each part that could not be read.
    """

    objects: tuple[SeenObject, ...] = ()
    count: int | None = None
    unreadable: tuple[str, ...] = ()


def read_objects(text: str, width: int, height: int, boxes: BoxConvention) -> Reading:
    """Read labels and boxes.

    Args:
        text: The whole answer.
        width: The frame's width in pixels.
        height: Its height in pixels.
        boxes: How the model's family writes boxes.
    """
    parsed = boxes.parse_objects(text, width, height)
    return Reading(objects=parsed.objects, unreadable=parsed.problems)


def read_count(text: str) -> Reading:
    """Read a number. An answer with two numbers is no answer to "how many"; one in a sentence is."""
    numbers = NUMBER.findall(text)
    if len(numbers) == 1:
        return Reading(count=int(numbers[0]))
    return Reading(unreadable=(f"{len(numbers)} numbers in {_short(text)!r} where one was asked for",))


def reading_summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Count by task how far the answers of one model could be read.

    Args:
        rows: Lines of ``predictions/<model>.jsonl``.

    Returns:
        By task: ``answers``, ``unreadable`` (answers with at least one part that could not be read),
        ``unreadable_parts``, ``cut_off`` (answers without an end token) and the first ``examples`` of such parts.
    """
    return {
        task: _counts([row for row in rows if row["task"] == task]) for task in Counter(row["task"] for row in rows)
    }


def _counts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    parts = [{"sample_id": row["sample_id"], "text": part} for row in rows for part in row["unreadable"]]
    return {
        "answers": len(rows),
        "unreadable": sum(bool(row["unreadable"]) for row in rows),
        "unreadable_parts": len(parts),
        "cut_off": sum(not row["finished"] for row in rows),
        "examples": parts[:EXAMPLES],
    }


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
