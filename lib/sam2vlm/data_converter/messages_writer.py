"""Conversations as OpenAI-style messages, one JSON line a question.

The picture's place is a part of the message, ``{"type": "image"}``, as chat templates of Transformers, TRL and
ms-swift take it; the file itself is named in ``images``. LLaMA-Factory knows strings alone, with ``<image>`` in them,
which TRL would take for text and put a second picture before: it reads LLaVA's files, which are ShareGPT's format,
through the ``dataset_info.json`` that lies beside them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic
from sam2vlm.data_converter.conversations import json_line, questions_and_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sam2vlm.data_converter.instructions import BoxConvention
    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["MessagesWriter"]


class MessagesWriter:
    """Writes ``<split>.jsonl``; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    Args:
        folder: Gets the files.
        pictures: The picture folder as seen from ``folder``, with ``/``.
        boxes: How the family of models that is to be trained writes boxes.
    """

    def __init__(self, folder: Path, *, pictures: str, boxes: BoxConvention) -> None:
        self._folder = folder
        self._pictures = pictures
        self._boxes = boxes
        self._lines: Counter[str] = Counter()

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        self._lines[split] = 0

        def write(sample: Sample) -> None:
            image = f"{self._pictures}/{sample.picture_name}"
            for name, question, answer in questions_and_answers(sample, self._boxes):
                lines.write(json_line(_messages(name, image, question, answer)))
                self._lines[split] += 1

        with open_atomic(self._folder / f"{split}.jsonl", "w") as lines:
            yield write

    def finish(self) -> dict[str, Any]:
        """Say what was written."""
        boxes = self._boxes
        return {
            "box_convention": {"name": boxes.name, "description": boxes.description},
            "conversations": dict(self._lines),
        }


def _messages(name: str, image: str, question: str, answer: str) -> dict[str, Any]:
    # Lists of parts in the answer too: readers infer one type for all contents of a file.
    return {
        "id": name,
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ],
        "images": [image],
    }
