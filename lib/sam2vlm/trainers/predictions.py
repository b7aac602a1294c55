"""Sample predictions in the middle of training: asked at fixed steps, shown by rank 0, told with what they cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sam2vlm.tracking import SamplePrediction
    from sam2vlm.trainers.callbacks import FiguresCallback

    Shown = tuple[Sequence[SamplePrediction], dict[str, float]]

__all__ = ["PredictionsCallback"]


class PredictionsCallback(TrainerCallback):
    """Asks the model about the same few frames at the end of epochs or at evaluations.

    Args:
        ask: Takes the model, where it computes and the step; returns what to show and the figures of it. It leaves
            the model and the random generators as they were.
        figures: Whose outputs take it, on rank 0.
        epoch_steps: Optimizer steps of an epoch; None asks at evaluations instead.
        alone: Whether this rank asks without the others. Then a lack of memory ends the asking and not the training.
    """

    def __init__(
        self,
        ask: Callable[[Any, Any, int], Shown],
        *,
        figures: FiguresCallback,
        epoch_steps: int | None,
        alone: bool = True,
    ) -> None:
        self._ask = ask
        self._figures = figures
        self._epoch_steps = epoch_steps
        self._alone = alone
        self._asked: int | None = None
        self._given_up = False
        self._log = get_logger("predictions")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask at the end of an epoch, before the checkpoint of the same step: a resume behind it has shown it."""
        step, last = state.global_step, state.global_step >= state.max_steps
        if self._epoch_steps is None or (control.should_training_stop and not last):
            # Whoever asks to stop gives little time, and the checkpoint needs it.
            return
        if last or step % self._epoch_steps == 0:
            self._show(args, state, kwargs["model"])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask beside the validation loss."""
        del control
        if self._epoch_steps is None:
            self._show(args, state, kwargs["model"])

    def _show(self, args: TrainingArguments, state: TrainerState, model: Any) -> None:
        if self._given_up or state.global_step == self._asked:
            return
        self._asked = state.global_step
        began = time.monotonic()
        try:
            shown, figures = self._ask(model, args.device, state.global_step)
        except torch.OutOfMemoryError as error:
            if not self._alone:
                raise
            self._given_up = True
            self._log.warning("predictions_given_up", step=state.global_step, reason=" ".join(str(error).split())[:200])
            return
        seconds = time.monotonic() - began
        self._figures.show(state, shown, figures)
        self._log.info("predictions_shown", step=state.global_step, frames=len(shown), seconds=round(seconds, 2))
