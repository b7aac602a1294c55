"""One question about one frame in its neutral form: the same for every family of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.annotations import Box

__all__ = ["Instruction"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A question and what its answer is made of.

    Prompt and answer may hold places that are filled when the family is known: ``{objects}`` for all visible objects,
    ``{object}`` for the one that is meant, ``{region}`` for the box that is asked about, ``{outline}`` for the
    polygon. A brace that means itself is doubled.

    Attributes:
        task: One of ``sam2vlm.data_converter.instructions.TASKS``, or ``general`` for data from elsewhere.
        prompt: The question, with places.
        language: Of the wording, as in ``templates.json``.
        answer: With places; None in datasets of the first version, whose answers follow from the task alone, and
            whose prompts have no places.
        label: The class that the question names.
        object_id: The object that is meant.
        region: The box that is asked about, ``(x, y, w, h)`` in frame pixels.
        outline: The object's simplified polygon in frame pixels, ``x1, y1, x2, y2, ...``, not closed.
    """

    task: str
    prompt: str
    language: str
    answer: str | None = None
    label: str | None = None
    object_id: int | None = None
    region: Box | None = None
    outline: tuple[float, ...] | None = None

    def row(self) -> dict[str, Any]:
        """Return it as the dataset's ``instructions`` column holds it."""
        return {
            "task": self.task,
            "prompt": self.prompt,
            "language": self.language,
            "answer": self.answer,
            "label": self.label,
            "object_id": self.object_id,
            "region": None if self.region is None else list(self.region),
            "outline": None if self.outline is None else list(self.outline),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Instruction:
        """Return what a dataset's row says; one of the first version has task, prompt and language only.

        Raises:
            DataError: A box or polygon of an impossible length.
        """
        region, outline = row.get("region"), row.get("outline")
        if region is not None and len(region) != 4:  # noqa: PLR2004  x, y, w, h
            raise DataError("is no box", field="instructions.region", expected="four numbers", found=region)
        if outline is not None and len(outline) % 2:
            raise DataError("is no polygon", field="instructions.outline", expected="x and y in turn", found=outline)
        return cls(
            task=row["task"],
            prompt=row["prompt"],
            language=row["language"],
            answer=row.get("answer"),
            label=row.get("label"),
            object_id=row.get("object_id"),
            region=None if region is None else tuple(region),
            outline=None if outline is None else tuple(outline),
        )
