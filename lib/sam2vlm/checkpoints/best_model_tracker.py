"""Which step had the best figure so far, and where the run started from."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["BestModelTracker"]


class BestModelTracker:
    """Follows one figure over the evaluations of a run.

    The figure before the first step is kept apart: it is the mark that training has to beat, and never the best
    model, because an untrained adapter is nothing to publish.

    Args:
        metric: The figure's name, as in ``eval_loss``.
        greater_is_better: Whether more is better; for a loss it is not.
        patience: How many evaluations in a row may bring no better figure; None bears any number.
    """

    def __init__(
        self, metric: str = "eval_loss", *, greater_is_better: bool = False, patience: int | None = None
    ) -> None:
        self.metric = metric
        self.greater_is_better = greater_is_better
        self.patience = patience
        self.initial_value: float | None = None
        self.last_value: float | None = None
        self.last_step: int | None = None
        self.best_value: float | None = None
        self.best_step: int | None = None
        #: Evaluations since the best one.
        self.stale = 0

    def update(self, step: int, value: float) -> bool:
        """Take an evaluation's figure.

        Args:
            step: The optimizer step it was measured after; 0 is before training.
            value: The figure. One that is not finite is never the best.

        Returns:
            Whether this step is the best so far. The first of equals stays the best.
        """
        self.last_step, self.last_value = step, value
        if step == 0:
            self.initial_value = value
            return False
        if not (math.isfinite(value) and self._beats(value, self.best_value)):
            self.stale += 1
            return False
        self.best_value, self.best_step, self.stale = value, step, 0
        return True

    @property
    def learned(self) -> bool:
        """Whether the best figure beats the one before the first step."""
        return self.best_value is not None and self._beats(self.best_value, self.initial_value)

    @property
    def exhausted(self) -> bool:
        """Whether the run has come to its end because nothing gets better any more."""
        return self.patience is not None and self.stale >= self.patience

    def _beats(self, value: float, other: float | None) -> bool:
        if other is None or not math.isfinite(other):
            return True
        return value > other if self.greater_is_better else value < other

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to remember, as JSON values."""
        return {
            "metric": self.metric,
            "initial_value": self.initial_value,
            "last_value": self.last_value,
            "last_step": self.last_step,
            "best_value": self.best_value,
            "best_step": self.best_step,
            "stale": self.stale,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned.

        Raises:
            ValueError: The state is of another figure.
        """
        if state["metric"] != self.metric:
            raise ValueError(f"the checkpoint followed {state['metric']}, this run follows {self.metric}")
        self.initial_value = state["initial_value"]
        self.last_value, self.last_step = state["last_value"], state["last_step"]
        self.best_value, self.best_step, self.stale = state["best_value"], state["best_step"], state["stale"]
