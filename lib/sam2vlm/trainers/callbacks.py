"""What happens around the steps: when to evaluate, save and stop, and what is told about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sam2vlm.tracking import Throughput, Trackers
from sam2vlm.trainers.not_finite import names_of_all_ranks, refuse_not_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sam2vlm.checkpoints import BestModelTracker, CheckpointManager
    from sam2vlm.tracking import MetricsLog, SamplePrediction, TensorBoardLog, TrainingProgress
    from sam2vlm.trainers.interruption import Interruption
    from sam2vlm.trainers.sampling import StepSampler
    from sam2vlm.trainers.window import FiguresWindow

__all__ = ["EpochCallback", "FiguresCallback", "ScheduleCallback", "Sinks"]


class EpochCallback(TrainerCallback):
    """Tells the sampler its epoch. Where a resume skips batches, the wrapped loader does not pass it on."""

    def __init__(self, sampler: StepSampler) -> None:
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
        tracker: Follows the validation loss, and says when its patience has an end.
        interruption: Whether to stop.
    """

    def __init__(
        self,
        *,
        save_every: int,
        eval_every: int | None,
        tracker: BestModelTracker,
        interruption: Interruption,
    ) -> None:
        self._save_every, self._eval_every = save_every, eval_every
        self._tracker = tracker
        self._interruption = interruption

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
        if self._tracker.exhausted:
            control.should_save = control.should_training_stop = True


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where rank 0 writes.

    Attributes:
        metrics: ``RUN/train/metrics.jsonl``: what is the same in every run of the same settings and seed.
        speed: ``RUN/logs/speed.jsonl``: what the machine made of it; never part of a digest.
        predictions: ``RUN/logs/predictions.jsonl``: the figures of sample predictions; never part of a digest either,
            because a run that is asked to stop goes without them.
        board: TensorBoard's events, of all kinds.
        progress: For people.
        trackers: Services that were asked for. They outlive the training, because they take its plots as well.
    """

    metrics: MetricsLog
    speed: MetricsLog
    predictions: MetricsLog
    board: TensorBoardLog
    progress: TrainingProgress
    trackers: Trackers = field(default_factory=Trackers)

    def tell(self, *, step: int, **figures: float) -> None:
        """Pass figures on to TensorBoard and the trackers."""
        self.board.write(step=step, **figures)
        self.trackers.write(step=step, **figures)

    def close(self) -> None:
        """Close all of them but the trackers."""
        for sink in (self.metrics, self.speed, self.predictions, self.board, self.progress):
            sink.close()


class FiguresCallback(TrainerCallback):
    """Checks every step's figures; on rank 0 it also writes them down and shows them.

    Args:
        window: Shared with the trainer, which saves it.
        every: Steps between lines.
        samples_per_step: Samples of all ranks in one step.
        checkpoints: Of the run, to name what is left where a figure is not finite.
        scaled_loss: In fp16 the loss is scaled as far up as gradients allow, so that they overflow now and then:
            DeepSpeed passes such a step over and lowers the scale. Its gradient is no error and no figure.
        open_sinks: Makes the files once the number of steps is known; None on the ranks that do not speak.
    """

    def __init__(
        self,
        window: FiguresWindow,
        *,
        every: int,
        samples_per_step: float,
        checkpoints: CheckpointManager,
        scaled_loss: bool = False,
        open_sinks: Callable[[TrainerState], Sinks] | None,
    ) -> None:
        self._window = window
        self._scaled_loss = scaled_loss
        self._every = every
        self._checkpoints = checkpoints
        self._throughput = Throughput(samples_per_step=samples_per_step)
        self._open_sinks = open_sinks
        self._sinks: Sinks | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the files."""
        del args, control, kwargs
        self._sinks = self._open_sinks(state) if self._open_sinks else None
        self._throughput.start(step=state.global_step, tokens=self._window.useful)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Forget the samples of the step before."""
        del args, state, control, kwargs
        self._window.names.clear()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count the step's time."""
        del args, state, control, kwargs
        self._throughput.step_done()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Leave the evaluation's time out."""
        del args, state, control, kwargs
        self._throughput.leave_out()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Leave the checkpoint's time out."""
        del args, state, control, kwargs
        self._throughput.leave_out()

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

    def show(self, state: TrainerState, predictions: Sequence[SamplePrediction], figures: dict[str, float]) -> None:
        """Show sample predictions and the figures of them, and leave their time out."""
        if self._sinks is not None:
            step, named = state.global_step, {f"predictions_{name}": value for name, value in figures.items()}
            for sink in (self._sinks.board, self._sinks.trackers):
                sink.show(predictions, step=step)
            self._sinks.tell(step=step, **named)
            self._sinks.predictions.write(step=step, epoch=_epoch(state), **named)
        self._throughput.leave_out()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the files."""
        del args, state, control, kwargs
        if self._sinks is not None:
            self._sinks.close()

    def _evaluated(self, state: TrainerState, loss: float) -> None:
        if self._sinks is None:
            return
        self._sinks.metrics.write(step=state.global_step, epoch=_epoch(state), eval_loss=loss)
        self._sinks.tell(step=state.global_step, eval_loss=loss)
        self._sinks.progress.evaluated(state.global_step, eval_loss=loss)

    def _stepped(self, state: TrainerState, logs: dict[str, float]) -> None:
        step, norm = state.global_step, logs["grad_norm"]
        if not (math.isfinite(norm) or self._scaled_loss):
            # The norm is that of all ranks, so all of them come here.
            names = names_of_all_ranks(self._window.names)
            refuse_not_finite(
                norm, what="gradient", field="grad_norm", step=step, names=names, checkpoints=self._checkpoints
            )
        self._window.last_loss = logs["loss"]
        self._window.losses.append(logs["loss"])
        due = step % self._every == 0 or step >= state.max_steps
        if self._sinks is not None:
            self._sinks.progress.step(step, logs["loss"])
        if due:
            self._window.settle()
            self._write_line(state, logs)
            self._window.clear()

    def _write_line(self, state: TrainerState, logs: dict[str, float]) -> None:
        step, sinks, share = state.global_step, self._sinks, self._window.useful_share
        if sinks is None:
            return
        figures = {
            "loss": math.fsum(self._window.losses) / len(self._window.losses),
            "learning_rate": logs["learning_rate"],
            **({"grad_norm": logs["grad_norm"]} if math.isfinite(logs["grad_norm"]) else {}),
            **({} if share is None else {"useful_token_share": share}),
        }
        speed = self._throughput.take(step=step, tokens=self._window.useful)
        sinks.metrics.write(step=step, epoch=_epoch(state), **figures)
        sinks.speed.write(step=step, epoch=_epoch(state), **speed)
        sinks.tell(step=step, **figures, **speed)
        # The progress has a rate of its own, over the whole run.
        told = {name: round(speed[name], 2) for name in ("tokens_per_second", "peak_memory_gib")}
        sinks.progress.report(step, epoch=_epoch(state), **figures, **told)


def _epoch(state: TrainerState) -> float:
    return round(state.epoch or 0.0, 6)
