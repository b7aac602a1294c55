"""Questions and answers as text, for the outputs that hold text: one way for all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.data_converter.instructions import BoxConvention
    from sam2vlm.data_converter.output_writer import Sample

__all__ = ["json_line", "one_line_json", "questions_and_answers"]

# JSON may hold these as they are, but readers that split a text into lines take them for ends of lines.
_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


def questions_and_answers(sample: Sample, boxes: BoxConvention) -> Iterator[tuple[str, str, str]]:
    """Yield the id, the question and the answer of each of a frame's instructions.

    Args:
        sample: The frame and what is asked about it.
        boxes: How the family of models writes boxes.
    """
    frame = sample.frame
    for number, instruction in enumerate(sample.instructions):
        question, answer = written(instruction, frame.objects, frame.width, frame.height, boxes)
        yield f"{frame.sample_id}/{number}", question, answer


def one_line_json(value: Any) -> str:
    """Return a value as JSON without anything in it that some reader takes for the end of a line."""
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS)


def json_line(value: Any) -> str:
    """Return a value as one line of a JSON lines file."""
    return one_line_json(value) + "\n"
