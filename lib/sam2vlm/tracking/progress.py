"""How far training is: a bar with loss and time left on a terminal, one JSON event a logging step elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from sam2vlm.logs import get_logger

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Tells people how training goes.

    Args:
        total_steps: Steps of the whole run.
        done_steps: Steps done before this process started.
        samples_per_step: Samples of all ranks in one step, for the rate.
    """

    def __init__(self, *, total_steps: int, done_steps: int, samples_per_step: float) -> None:
        self._total, self._first, self._samples = total_steps, done_steps, samples_per_step
        self._began = time.monotonic()
        self._log = get_logger("training")
        self._bar = _bar() if sys.stdout.isatty() else None
        if self._bar is not None:
            self._task = self._bar.add_task("training", total=total_steps, completed=done_steps, loss="", rate="")
            self._bar.start()

    def step(self, step: int, loss: float) -> None:
        """Move the bar; called every step."""
        if self._bar is not None:
            rate = f"{self._rate(step):.1f} samples/s"
            self._bar.update(self._task, completed=step, loss=f"loss {loss:.4f}", rate=rate)

    def report(self, step: int, **figures: Any) -> None:
        """Emit the event of a logging step where no bar is shown."""
        if self._bar is None:
            rate = self._rate(step)
            left = (self._total - step) * self._samples / rate if rate > 0 else None
            self._log.info(
                "training_step",
                step=step,
                of=self._total,
                **figures,
                samples_per_second=round(rate, 2),
                seconds_left=None if left is None else round(left, 1),
            )

    def evaluated(self, step: int, **figures: Any) -> None:
        """Say an evaluation's figures, on a terminal above the bar."""
        self._log.info("evaluated", step=step, **figures)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()

    def _rate(self, step: int) -> float:
        return (step - self._first) * self._samples / max(time.monotonic() - self._began, 1e-9)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        # What the figures leave: on a narrow terminal a bar of its own width takes the number of steps away.
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}", style="cyan"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        expand=True,
    )
