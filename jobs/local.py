"""The four phases as plain processes on this machine: the same entry points and variables as in the cluster."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jobs.job_settings import ENV_PREFIX
from sam2vlm.artifacts import PHASES, RunLayout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

__all__ = ["run_phases", "summary"]

FIGURES = ("mAP50", "mAP50_95", "mean_iou", "count_accuracy", "label_accuracy")


@dataclass(frozen=True, slots=True)
class PhaseEnd:
    """How one phase ended: its name, its exit code and the seconds it took."""

    phase: str
    exit_code: int
    seconds: float


def run_phases(settings: Mapping[str, str], *, phases: Sequence[str] = PHASES) -> list[PhaseEnd]:
    """Run phases one after the other and stop at the first that fails.

    Args:
        settings: Variables without their prefix (``{"RUN": "runs/demo"}``), over the environment's own.
        phases: Which phases, in order.

    Returns:
        The ends of the phases that ran; the last one's exit code is the run's.
    """
    environment = {**os.environ, **{ENV_PREFIX + name: value for name, value in settings.items()}}
    ends: list[PhaseEnd] = []
    for phase in phases:
        began = time.monotonic()
        code = _run(phase, environment)
        ends.append(PhaseEnd(phase, code, time.monotonic() - began))
        if code != 0:
            break
    return ends


def _run(phase: str, environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", f"jobs.{phase}"]
    with subprocess.Popen(command, env=dict(environment)) as process, _signals_passed_to(process):
        code = process.wait()
    # A phase that a signal killed has no code of its own; shells say 128 + the signal's number.
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _signals_passed_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _frame: Any) -> None:
        # The terminal sends its own interrupt to the whole group; once is enough.
        if not (number == signal.SIGINT and sys.stdin.isatty()):
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(layout: RunLayout, ends: Sequence[PhaseEnd], console: Console) -> None:
    """Show where everything is, how long it took and the before/after table."""
    console.print()
    metrics = json.loads((layout.phase("evaluate") / "metrics.json").read_text(encoding="utf-8"))
    console.print(_before_after(metrics))
    console.print("  ".join(f"{end.phase} {end.seconds:.0f} s" for end in ends), style="dim")
    console.print()
    places = {
        "dataset": layout.dataset,
        "data report": layout.phase("prepare") / "report.md",
        "training curves": layout.phase("train") / "plots",
        "evaluation": layout.phase("evaluate") / "report.md",
        "adapter": layout.phase("export") / "adapter",
        "merged model": layout.phase("export") / "merged",
        "model": layout.phase("export") / "model",
        "model card": layout.phase("export") / "README.md",
    }
    # An adapter and the merged model, or the whole model.
    for name, path in ((name, path) for name, path in places.items() if path.exists()):
        console.print(f"  {name:<16} {path}", soft_wrap=True)


def _before_after(metrics: Mapping[str, Any]) -> Table:
    table = Table(title="On frames that the model has never seen", title_justify="left")
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right", style="bold green")
    for figure in FIGURES:
        table.add_row(figure, *(_shown(metrics[model].get(figure)) for model in ("base", "tuned")))
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
