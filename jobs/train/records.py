"""What a training leaves to look at, and where: figures that are the run's own, and figures of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.tracking import (
    OPTIMIZATION,
    SPEED,
    MetricsLog,
    TensorBoardLog,
    TrainingProgress,
    plot_losses,
    plot_panels,
    read_metrics,
)
from sam2vlm.trainers.callbacks import Sinks

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import TrainerState

    from sam2vlm.artifacts import PhaseWork
    from sam2vlm.trainers.sampling import StepSampler

__all__ = ["open_sinks_of", "plot_run"]

METRICS, SPEED_LOG = "metrics.jsonl", "speed.jsonl"


def open_sinks_of(phase: PhaseWork, sampler: StepSampler) -> Callable[[TrainerState], Sinks]:
    """Return what opens rank 0's files for the steps that are about to come."""

    def open_sinks(state: TrainerState) -> Sinks:
        done = state.global_step or None
        return Sinks(
            metrics=MetricsLog(phase.folder / METRICS, after_step=done),
            speed=MetricsLog(phase.layout.logs / SPEED_LOG, after_step=done),
            board=TensorBoardLog(phase.layout.logs / "tensorboard", after_step=done),
            progress=TrainingProgress(
                total_steps=state.max_steps, done_steps=state.global_step, samples_per_step=sampler.samples_per_step
            ),
        )

    return open_sinks


def plot_run(phase: PhaseWork, *, best_step: int) -> None:
    """Draw what the run has written down: again and again the same files."""
    lines, plots = read_metrics(phase.folder / METRICS), phase.folder / "plots"
    plot_losses(lines, plots, best_step=best_step)
    plot_panels(lines, plots, "optimization", OPTIMIZATION)
    # Times and memory are other ones in every run, so their picture lies where no manifest names it.
    plot_panels(read_metrics(phase.layout.logs / SPEED_LOG), phase.layout.logs / "plots", "speed", SPEED)
