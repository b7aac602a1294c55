"""What is read of a manifest's facts: the few that a run is told by, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from sam2vlm.artifacts import Manifest

__all__ = ["Evaluated", "Trained", "facts_as"]


class _Facts(BaseModel):
    # What else the phases note, in this version or another, is of no concern here.
    model_config = ConfigDict(frozen=True, extra="ignore")


class BaseModelFacts(_Facts):
    """The model that was trained."""

    name: str


class Result(_Facts):
    """How training ended; losses in nats a token of the answers."""

    steps: int
    epochs: FiniteFloat
    best_step: int | None = None
    initial_val_loss: FiniteFloat | None = None
    best_val_loss: FiniteFloat | None = None
    last_val_loss: FiniteFloat | None = None


class Trained(_Facts):
    """Of the train phase."""

    base_model: BaseModelFacts
    precision: str
    result: Result


class Evaluated(_Facts):
    """Of the evaluate phase: figures by model (``base``, ``tuned``) and name; None where one is undefined."""

    split: str
    metrics: dict[str, dict[str, object]]

    def figure(self, model: str, name: str) -> float | None:
        """Return a figure, a count as an integer; None where there is none."""
        value = self.metrics.get(model, {}).get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


F = TypeVar("F", bound=_Facts)


def facts_as(kind: type[F], manifest: Manifest, *, source: Path) -> F:
    """Return a manifest's facts.

    Args:
        kind: :class:`Trained` or :class:`Evaluated`.
        manifest: Of that phase.
        source: Where it lies.

    Raises:
        DataError: One is missing or of another kind.
    """
    try:
        return kind.model_validate(manifest.facts)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(("facts", *map(str, first["loc"])))
        raise DataError(first["msg"], source=source, field=field, found=first["input"]) from None
