"""Which instructions a frame gets, and in which words: seeded, and the same in whatever order frames come."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.answers import TASKS
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_WEIGHTS", "Instruction", "InstructionMix", "wordings"]

DEFAULT_WEIGHTS: Mapping[str, float] = {"detect": 2.0, "count": 1.0, "describe": 1.0}


@dataclass(frozen=True, slots=True)
class Instruction:
    """A neutral instruction; its answer is written for each family of models on its own.

    Attributes:
        task: One of ``sam2vlm.data_converter.instructions.TASKS``.
        prompt: The question's wording.
        language: Of the wording, as in ``templates.json``.
    """

    task: str
    prompt: str
    language: str


@dataclass(frozen=True)
class InstructionMix:
    """The plan by which frames get instructions.

    Attributes:
        weights: Relative weight of each task; a task without one, or with 0, is not asked.
        per_frame: Conversations a frame. Tasks are drawn by weight without repetition until each was drawn once,
            then anew; no frame is asked twice in the same words.
        seed: Of every choice.
        language: Of the wordings.

    Raises:
        SettingsError: An unknown task or language, an impossible weight, or more conversations than wordings.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    per_frame: int = 3
    seed: int = 42
    language: str = "en"

    def __post_init__(self) -> None:
        for task, weight in self.weights.items():
            if task not in TASKS:
                raise SettingsError("no such task", field="tasks", expected=" or ".join(TASKS), found=task)
            if not (math.isfinite(weight) and weight >= 0):
                raise SettingsError("impossible weight", field=f"tasks.{task}", expected="0 or more", found=weight)
        words = sum(len(wordings(self.language, task)) for task in self.tasks)
        if not self.tasks:
            raise SettingsError("asks nothing", field="tasks", expected="a task with a weight above 0", found="none")
        if not 1 <= self.per_frame <= words:
            raise SettingsError(
                "impossible number of conversations a frame",
                field="per_frame",
                expected=f"1 to {words}, the wordings there are",
                found=self.per_frame,
            )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are asked, in the order of ``TASKS``."""
        return tuple(task for task in TASKS if self.weights.get(task, 0) > 0)

    def for_sample(self, sample_id: str) -> list[Instruction]:
        """Return a sample's instructions; they depend on the sample's id, the plan and nothing else."""
        chosen: list[Instruction] = []
        left = {task: self._shuffled_wordings(sample_id, task) for task in self.tasks}
        for turn in range(self.per_frame):
            for task in self._drawn_order(sample_id, turn):
                if len(chosen) < self.per_frame and left[task]:
                    chosen.append(Instruction(task, left[task].pop(), self.language))
            if len(chosen) == self.per_frame:
                break
        return chosen

    def _drawn_order(self, sample_id: str, turn: int) -> list[str]:
        # Sorting by u ** (1 / weight) draws without replacement by weight (Efraimidis and Spirakis, 2006).
        keys = {
            task: math.log(_uniform(self.seed, sample_id, "order", str(turn), task)) / self.weights[task]
            for task in self.tasks
        }
        return sorted(self.tasks, key=lambda task: -keys[task])

    def _shuffled_wordings(self, sample_id: str, task: str) -> list[str]:
        words = wordings(self.language, task)
        return sorted(words, key=lambda word: _uniform(self.seed, sample_id, "wording", task, word))


@functools.cache
def wordings(language: str, task: str) -> tuple[str, ...]:
    """Return the wordings of a task's question.

    Raises:
        SettingsError: There are none in this language.
    """
    templates = json.loads(
        importlib.resources.files(__package__).joinpath("templates.json").read_text(encoding="utf-8")
    )
    if language not in templates:
        raise SettingsError(
            "no wordings in this language", field="language", expected=" or ".join(sorted(templates)), found=language
        )
    return tuple(templates[language][task])


def _uniform(seed: int, *parts: str) -> float:
    """A number in (0, 1) that depends on the arguments alone, on any machine."""
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
