"""The texts of the task: prompts and answers, exactly as fine-tuning writes them.

The prompts are read from the package's own ``templates.json``, so that the pre-trained model knows those that
fine-tuning uses.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretraining.pictures import Object

TEMPLATES = Path(__file__).parents[1] / "lib/sam2vlm/data_converter/instructions/templates.json"
TASKS = ("detect", "count", "describe")


def read_prompts(path: Path = TEMPLATES) -> dict[str, list[str]]:
    """The English wordings of each task."""
    english: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))["en"]
    return {task: english[task] for task in TASKS}


def detect_answer(objects: Sequence[Object]) -> str:
    """``label [x1, y1, x2, y2]; ...`` in the order given, coordinates 0-1 of the padded square, two digits."""
    if not objects:
        return "none"
    return "; ".join(f"{item.label} [{', '.join(map(_coordinate, item.box))}]" for item in objects)


def count_answer(objects: Sequence[Object]) -> str:
    """How many, in digits."""
    return str(len(objects))


def describe_answer(objects: Sequence[Object]) -> str:
    """One sentence with the number of each label, the most frequent first, then by name."""
    if not objects:
        return "There are no objects."
    counts = Counter(item.label for item in objects)
    parts = [f"{number} {label}" for label, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"There {'is 1 object' if len(objects) == 1 else f'are {len(objects)} objects'}: {listed}."


ANSWERS = {"detect": detect_answer, "count": count_answer, "describe": describe_answer}


def _coordinate(value: float) -> str:
    # There is a token for each of 0.00 to 0.99 and none for 1.00.
    return f"{min(max(value, 0.0), 0.99):.2f}"
