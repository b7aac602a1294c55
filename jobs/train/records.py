"""What a training leaves to look at, and where: figures that are the run's own, and figures of the machine.

Services that were asked for are told the same, see :mod:`sam2vlm.tracking.trackers`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import InterruptedRunError
from sam2vlm.tracking import (
    OPTIMIZATION,
    PREDICTIONS,
    SPEED,
    MetricsLog,
    TensorBoardLog,
    Trackers,
    TrainingProgress,
    open_trackers,
    plot_losses,
    plot_panels,
    read_metrics,
)
from sam2vlm.trainers.callbacks import Sinks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from transformers import TrainerState

    from jobs.train.settings import TrainSettings
    from sam2vlm.artifacts import PhaseWork
    from sam2vlm.trainers.sampling import StepSampler

__all__ = ["keep_records", "open_sinks_of", "plot_run", "tracked"]

METRICS, SPEED_LOG, PREDICTIONS_LOG = "metrics.jsonl", "speed.jsonl", "predictions.jsonl"
#: What the phases after this one write, and where trackers send people who look for it.
MODEL_CARD = "export/README.md"


def open_sinks_of(phase: PhaseWork, sampler: StepSampler, trackers: Trackers) -> Callable[[TrainerState], Sinks]:
    """Return what opens rank 0's files for the steps that are about to come."""

    def open_sinks(state: TrainerState) -> Sinks:
        done = state.global_step or None
        return Sinks(
            metrics=MetricsLog(phase.folder / METRICS, after_step=done),
            speed=MetricsLog(phase.layout.logs / SPEED_LOG, after_step=done),
            predictions=MetricsLog(phase.layout.logs / PREDICTIONS_LOG, after_step=done),
            board=TensorBoardLog(phase.layout.logs / "tensorboard", after_step=done),
            progress=TrainingProgress(
                total_steps=state.max_steps, done_steps=state.global_step, samples_per_step=sampler.samples_per_step
            ),
            trackers=trackers,
        )

    return open_sinks


@contextlib.contextmanager
def tracked(phase: PhaseWork, settings: TrainSettings, *, rank: int) -> Iterator[Trackers]:
    """Have the services that were asked for follow the training and its publication; ranks but the first are silent.

    Yields:
        What takes figures, pictures and files; however the block is left, the runs end with that outcome.
    """
    if rank or not settings.report_to:
        yield Trackers()
        return
    trackers = open_trackers(
        settings.report_to,
        folder=phase.layout.logs,
        fingerprint=phase.fingerprint,
        experiment=settings.experiment,
        run_name=phase.layout.root.resolve().name,
        settings={**phase.settings, "seed": phase.seed},
    )
    try:
        yield trackers
    except InterruptedRunError:
        trackers.finish(outcome="interrupted")
        raise
    except BaseException:
        trackers.finish(outcome="failed")
        raise
    trackers.finish(outcome="done")


def keep_records(phase: PhaseWork, trackers: Trackers, *, result: Mapping[str, Any]) -> None:
    """Give the trackers what the finished phase has written down, and where the model and its card are.

    Args:
        phase: Finished.
        trackers: As :func:`tracked` yields them.
        result: The manifest's facts about the result.
    """
    folders = {"plots": phase.folder / "plots", "plots/machine": phase.layout.logs / "plots"}
    files = {f"{name}/{path.name}": path for name, folder in folders.items() for path in sorted(folder.glob("*.*g"))}
    files |= {name: phase.folder / name for name in (METRICS, "config.json", "manifest.json")}
    root = phase.layout.root.resolve()
    published = {"adapter": phase.layout.adapter, "model": phase.layout.model}
    places = {"run": root, "model_card": root / MODEL_CARD}
    places |= {name: place.resolve() for name, place in published.items() if place.is_dir()}
    trackers.keep(files, {**{name: str(place) for name, place in places.items()}, **result})


def plot_run(phase: PhaseWork, *, best_step: int) -> None:
    """Draw what the run has written down: again and again the same files."""
    lines, plots = read_metrics(phase.folder / METRICS), phase.folder / "plots"
    plot_losses(lines, plots, best_step=best_step)
    plot_panels(lines, plots, "optimization", OPTIMIZATION)
    # Times and memory are other ones in every run, so their picture lies where no manifest names it.
    logs = phase.layout.logs
    plot_panels(read_metrics(logs / SPEED_LOG), logs / "plots", "speed", SPEED)
    plot_panels(read_metrics(logs / PREDICTIONS_LOG), logs / "plots", "predictions", PREDICTIONS, style="o-")
