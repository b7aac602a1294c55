"""Which instructions a frame gets, and in which words: seeded, and the same in whatever order frames come."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.data_converter.instructions.answers import FRAME_TASKS, PLAIN_TASKS, TASKS, VIDEO_TASKS, plain_answer
from sam2vlm.data_converter.instructions.general_data import GeneralFrame
from sam2vlm.data_converter.instructions.instruction import Instruction
from sam2vlm.data_converter.instructions.outlines import simple_outline
from sam2vlm.data_converter.instructions.picture_tasks import (
    absent_labels,
    located,
    named_regions,
    referred,
    visible_objects,
)
from sam2vlm.data_converter.instructions.seeded import uniform
from sam2vlm.data_converter.instructions.slots import escaped, filled, rendered
from sam2vlm.data_converter.instructions.templates import Templates, package_templates
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions.picture_tasks import Ask, Visible

__all__ = ["DEFAULT_WEIGHTS", "InstructionMix", "Tally", "answer_key"]

DEFAULT_WEIGHTS: Mapping[str, float] = {"detect": 2.0, "count": 1.0, "describe": 1.0}
_FEWEST_POINTS = 4


@dataclass(slots=True)
class Tally:
    """What happened while instructions were made.

    Attributes:
        left_out: Questions that were not asked, by reason: ``nothing_to_ask``, ``no_short_outline``.
        outline_ious: IoU of each polygon that is asked for with its mask.
        outline_points: Points of each.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    outline_ious: list[float] = field(default_factory=list)
    outline_points: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class InstructionMix:
    """The plan by which frames get instructions.

    Attributes:
        weights: Relative weight of each task; a task without one, or with 0, is not asked. Those of ``VIDEO_TASKS``
            are no shares: such questions are about many frames and are written apart.
        per_frame: Conversations a frame. Tasks are drawn by weight without repetition until each was drawn once,
            then anew; no frame is asked the same twice, and a frame that gives nothing to ask gets fewer.
        seed: Of every choice.
        language: Of the wordings.
        templates: The wordings.
        max_same_answer: Largest share of a task's conversations that may have the same answer; the rest is left out.
        max_points: Of a polygon.
        min_outline_iou: A polygon that agrees less with its mask is not asked for.
        vocabulary: Labels of the whole dataset, from which absent ones are taken; see ``fit_mix``.
        kept_below: By answer, the seeded number from which on it is left out; see ``fit_mix``.

    Raises:
        SettingsError: An unknown task or language, an impossible weight, or more conversations than wordings.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    per_frame: int = 3
    seed: int = 42
    language: str = "en"
    templates: Templates = field(default_factory=package_templates)
    max_same_answer: float = 0.5
    max_points: int = 24
    min_outline_iou: float = 0.8
    vocabulary: tuple[str, ...] = ()
    kept_below: Mapping[bytes, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for task, weight in self.weights.items():
            if task not in TASKS:
                raise SettingsError("no such task", field="tasks", expected=" or ".join(TASKS), found=task)
            if not (math.isfinite(weight) and weight >= 0):
                raise SettingsError("impossible weight", field=f"tasks.{task}", expected="0 or more", found=weight)
        words = sum(len(self.templates.wordings(self.language, task)) for task in self.tasks)
        if not self.tasks:
            raise SettingsError(
                "asks nothing about single frames",
                field="tasks",
                expected=f"a task of {', '.join(FRAME_TASKS)} with a weight above 0",
                found="none",
            )
        if not 1 <= self.per_frame <= words:
            raise SettingsError(
                "impossible number of conversations a frame",
                field="per_frame",
                expected=f"1 to {words}, the wordings there are",
                found=self.per_frame,
            )
        if not 0 < self.max_same_answer <= 1:
            raise SettingsError(
                "impossible share", field="max_same_answer", expected="above 0, up to 1", found=self.max_same_answer
            )
        if self.max_points < _FEWEST_POINTS:
            raise SettingsError(
                "impossible polygon", field="max_points", expected=f"{_FEWEST_POINTS} or more", found=self.max_points
            )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that frames are asked, in the order of ``FRAME_TASKS``."""
        return tuple(task for task in FRAME_TASKS if self.weights.get(task, 0) > 0)

    @property
    def video_tasks(self) -> tuple[str, ...]:
        """The tasks that videos are asked, in the order of ``VIDEO_TASKS``."""
        return tuple(task for task in VIDEO_TASKS if self.weights.get(task, 0) > 0)

    @property
    def phrases(self) -> Mapping[str, str]:
        """The parts of answers in the plan's language."""
        return self.templates.phrases[self.language]

    def for_frame(self, frame: Frame, tally: Tally | None = None) -> list[Instruction]:
        """Return a frame's instructions; they depend on the frame, the plan and nothing else.

        Args:
            frame: Its picture is not read.
            tally: Is told what was left out and what polygons cost.

        Raises:
            DataError: A label is no Unicode text.
        """
        if isinstance(frame, GeneralFrame):
            return [frame.instruction] if frame.instruction is not None else []
        tally, seen = tally or Tally(), visible_objects(frame)
        left = {task: self._offers(task, frame, seen) for task in self.tasks}
        chosen: list[Instruction] = []
        for turn in range(self.per_frame):
            for task in self._drawn_order(frame.sample_id, turn):
                made = self._next(left[task], task, frame, seen, tally) if len(chosen) < self.per_frame else None
                if made is not None:
                    chosen.append(made)
            if len(chosen) == self.per_frame or not any(left.values()):
                break
        if len(chosen) < self.per_frame:
            tally.left_out["nothing_to_ask"] += self.per_frame - len(chosen)
        return [item for place, item in enumerate(chosen) if self._kept(item, frame.sample_id, place, seen)]

    def _offers(self, task: str, frame: Frame, seen: Sequence[Visible]) -> list[tuple[str, Ask | None]]:
        """Return wordings with what they are about; the last one is taken first."""
        sample_id = frame.sample_id
        words = sorted(
            self.templates.wordings(self.language, task),
            key=lambda word: uniform(self.seed, sample_id, "wording", task, word),
        )
        if task in PLAIN_TASKS:
            return [(word, None) for word in words]
        asks = sorted(
            self._asks(task, frame, seen), key=lambda ask: uniform(self.seed, sample_id, "ask", task, ask.key)
        )
        return [(words[place % len(words)], ask) for place, ask in enumerate(asks)]

    def _asks(self, task: str, frame: Frame, seen: Sequence[Visible]) -> Iterable[Ask]:
        if task == "refer":
            return referred(seen, frame.width, frame.height)
        if task == "name":
            return named_regions(seen, frame.width, frame.height)
        return absent_labels(seen, self.vocabulary) if task == "absent" else located(seen)

    def _next(
        self,
        offers: list[tuple[str, Ask | None]],
        task: str,
        frame: Frame,
        seen: Sequence[Visible],
        tally: Tally,
    ) -> Instruction | None:
        while offers:
            word, ask = offers.pop()
            if ask is None:
                answer = plain_answer(task, [item.label for item in seen], self.phrases)
                return Instruction(task, word, self.language, answer=answer)
            made = self._outlined(word, ask, frame, tally) if task == "polygon" else self._asked(task, word, ask)
            if made is not None:
                return made
        return None

    def _asked(self, task: str, word: str, ask: Ask) -> Instruction:
        label, meant = ask.label, ask.meant
        said = self.phrases["object"] if label is None else label
        values = {"label": said}
        answer = "{object}"
        if ask.relation is not None:
            values["which"] = rendered(self.phrases[ask.relation], lambda _place: said)
        if task == "absent":
            answer = filled(self.phrases["absent"], values)
        elif task == "name":
            answer = escaped(said)
        return Instruction(
            task,
            filled(word, values),
            self.language,
            answer=answer,
            label=label,
            object_id=meant.object_id if meant is not None else None,
            region=meant.box if meant is not None and task == "name" else None,
        )

    def _outlined(self, word: str, ask: Ask, frame: Frame, tally: Tally) -> Instruction | None:
        assert ask.meant is not None  # noqa: S101  told to mypy; located() always means one
        outline = simple_outline(ask.meant.mask, max_points=self.max_points)
        if outline is None or outline.iou < self.min_outline_iou:
            tally.left_out["no_short_outline"] += 1
            return None
        tally.outline_ious.append(outline.iou)
        tally.outline_points.append(len(outline.points))
        return Instruction(
            "polygon",
            filled(word, {"label": str(ask.label)}),
            self.language,
            answer="{outline}",
            label=ask.label,
            object_id=ask.meant.object_id,
            outline=outline.scaled(ask.meant.mask, frame.width, frame.height),
        )

    def _drawn_order(self, sample_id: str, turn: int) -> list[str]:
        # Sorting by u ** (1 / weight) draws without replacement by weight (Efraimidis and Spirakis, 2006).
        keys = {
            task: math.log(uniform(self.seed, sample_id, "order", str(turn), task)) / self.weights[task]
            for task in self.tasks
        }
        return sorted(self.tasks, key=lambda task: -keys[task])

    def _kept(self, item: Instruction, sample_id: str, place: int, seen: Sequence[Visible]) -> bool:
        if not self.kept_below:
            return True
        limit = self.kept_below.get(answer_key(item, seen))
        return limit is None or self.lot(sample_id, place) <= limit

    def lot(self, sample_id: str, place: int) -> float:
        """Return the number that decides which of a frame's conversations stay where an answer comes too often."""
        return uniform(self.seed, sample_id, "kept", str(place))


def answer_key(item: Instruction, seen: Sequence[Visible]) -> bytes:
    """Return what equal answers have in common: their task, their words, and the objects and polygon they give."""
    answer = item.answer or ""
    given: list[object] = [item.task, answer, item.outline]
    if "{object}" in answer or "{objects}" in answer:
        given += [(it.label, it.box) for it in seen if "{objects}" in answer or it.object_id == item.object_id]
    return hashlib.blake2b(repr(given).encode(), digest_size=8).digest()
