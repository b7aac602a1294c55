"""``sam2vlm run``: all four phases on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sam2vlm.cli.phases import DIALECT, EXPORTS, EXTEND, PRESET, REPLACE, RUN, VIDEO, export_settings, run_settings

__all__ = ["run"]


def run(
    exports: Annotated[list[str] | None, EXPORTS] = None,
    run: Annotated[Path | None, RUN] = None,
    preset: Annotated[str | None, PRESET] = None,
    *,
    video: Annotated[str | None, VIDEO] = None,
    dialect: Annotated[str | None, DIALECT] = None,
    extend: Annotated[str | None, EXTEND] = None,
    replace: Annotated[bool, REPLACE] = False,
) -> None:
    """Prepare, train, evaluate and export, one process each, as the cluster's Jobs do."""
    from rich.console import Console

    from jobs.catalog import known_names
    from jobs.job_settings import JobSettings, load_settings
    from jobs.local import run_phases, summary
    from sam2vlm.artifacts import RunLayout

    settings = run_settings(run, preset, replace=replace) | export_settings(exports, video, dialect, extend)
    ends = run_phases(settings)
    console = Console()
    if ends[-1].exit_code != 0:
        console.print(
            f"{ends[-1].phase} ended with exit code {ends[-1].exit_code}; the line above says why.", style="red"
        )
        raise typer.Exit(ends[-1].exit_code)
    folder = run or load_settings(JobSettings, known=known_names()).run
    summary(RunLayout(folder), ends, console)
