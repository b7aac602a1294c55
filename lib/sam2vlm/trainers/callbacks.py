"""What happens around the steps: when to evaluate, save and stop, and what is told about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sam2vlm.checkpoints import BestModelTracker
    from sam2vlm.tracking import MetricsLog, TensorBoardLog, TrainingProgress
    from sam2vlm.trainers.interruption import Interruption
    from sam2vlm.trainers.sampling import LengthGroupedSampler

__all__ = ["EpochCallback", "FiguresCallback", "FiguresWindow", "ScheduleCallback"]


class EpochCallback(TrainerCallback):
    """Tells the sampler its epoch. Where a resume skips batches, the wrapped loader does not pass it on."""

    def __init__(self, sampler: LengthGroupedSampler) -> None:
        self._sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the epoch from the steps done, which are whole numbers where the state's epoch is a fraction."""
        del args, control, kwargs
        self._sampler.set_epoch(state.global_step // self._sampler.steps)


class ScheduleCallback(TrainerCallback):
    """Evaluates and saves at fixed steps and at the last one; saves and stops where the run is interrupted.

    Args:
        save_every: Steps between checkpoints.
        eval_every: Steps between evaluations; each of them is followed by a checkpoint where it is the best.
        tracker: Follows the validation loss.
        interruption: Whether to stop.
        patience: Stop after this many evaluations without a better one; None never does.
    """

    def __init__(
        self,
        *,
        save_every: int,
        eval_every: int | None,
        tracker: BestModelTracker,
        interruption: Interruption,
        patience: int | None = None,
    ) -> None:
        self._save_every, self._eval_every = save_every, eval_every
        self._tracker = tracker
        self._interruption = interruption
        self._patience = patience

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Decide after every optimizer step."""
        del args, kwargs
        step, last = state.global_step, state.global_step >= state.max_steps
        stop = self._interruption.agree()
        if self._eval_every is not None:
            control.should_evaluate = last or step % self._eval_every == 0
        control.should_save = last or stop or step % self._save_every == 0
        control.should_training_stop = control.should_training_stop or stop

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the validation loss."""
        del args
        best = self._tracker.update(state.global_step, kwargs["metrics"][self._tracker.metric])
        control.should_save = control.should_save or best
        if self._patience is not None and self._tracker.stale >= self._patience:
            control.should_save = control.should_training_stop = True


@dataclass(slots=True)
class FiguresWindow:
    """The steps since the last logged line. A checkpoint carries it, so that a resumed run logs the same means.

    Attributes:
        losses: Training loss of each step.
        last_loss: Of the newest step.
    """

    losses: list[float] = field(default_factory=list)
    last_loss: float | None = None


class FiguresCallback(TrainerCallback):
    """Checks every step's figures; on rank 0 it also writes them down and shows them.

    Args:
        window: Shared with the trainer, which saves it.
        every: Steps between lines.
        open_sinks: Makes metrics file, TensorBoard log and progress once the number of steps is known; None on
            the ranks that do not speak.
    """

    def __init__(
        self,
        window: FiguresWindow,
        *,
        every: int,
        open_sinks: Callable[[TrainerState], tuple[MetricsLog, TensorBoardLog, TrainingProgress]] | None,
    ) -> None:
        self._window = window
        self._every = every
        self._open_sinks = open_sinks
        self._sinks: tuple[MetricsLog, TensorBoardLog, TrainingProgress] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the files."""
        del args, control, kwargs
        self._sinks = self._open_sinks(state) if self._open_sinks else None

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take one step's figures or one evaluation's."""
        del args, control
        logs: dict[str, float] = kwargs["logs"]
        # Transformers keeps every line in its state and so in every checkpoint; metrics.jsonl has them already.
        state.log_history.clear()
        if "eval_loss" in logs:
            self._evaluated(state, logs["eval_loss"])
        elif "loss" in logs:
            self._stepped(state, logs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the files."""
        del args, state, control, kwargs
        for sink in self._sinks or ():
            sink.close()

    def _evaluated(self, state: TrainerState, loss: float) -> None:
        if self._sinks is None:
            return
        metrics, board, progress = self._sinks
        metrics.write(step=state.global_step, epoch=_epoch(state), eval_loss=loss)
        board.write(step=state.global_step, eval_loss=loss)
        progress.evaluated(state.global_step, eval_loss=loss)

    def _stepped(self, state: TrainerState, logs: dict[str, float]) -> None:
        self._refuse_infinite_gradient(state, logs)
        self._window.last_loss = logs["loss"]
        self._window.losses.append(logs["loss"])
        due = state.global_step % self._every == 0 or state.global_step >= state.max_steps
        if self._sinks is not None:
            self._sinks[2].step(state.global_step, logs["loss"])
        if not due:
            return
        figures = {
            "loss": math.fsum(self._window.losses) / len(self._window.losses),
            "learning_rate": logs["learning_rate"],
            "grad_norm": logs["grad_norm"],
        }
        self._window.losses.clear()
        if self._sinks is not None:
            metrics, board, progress = self._sinks
            metrics.write(step=state.global_step, epoch=_epoch(state), **figures)
            board.write(step=state.global_step, **figures)
            progress.report(state.global_step, epoch=_epoch(state), **figures)

    def _refuse_infinite_gradient(self, state: TrainerState, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["grad_norm"]):
            raise DataError(
                f"the gradient is not finite at step {state.global_step}; lower the learning rate",
                field="grad_norm",
                expected="a finite number",
                found=logs["grad_norm"],
            )


def _epoch(state: TrainerState) -> float:
    return round(state.epoch or 0.0, 6)
