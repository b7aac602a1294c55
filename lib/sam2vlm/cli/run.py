"""``sam2vlm run``: all four phases on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sam2vlm.cli.phases import DIALECT, EXPORTS, EXTEND, VIDEO, given

__all__ = ["run"]


def run(
    exports: Annotated[list[str] | None, EXPORTS] = None,
    run: Annotated[Path | None, typer.Option(help="The run's folder (SAM2VLM_RUN).")] = None,
    preset: Annotated[str | None, typer.Option(help="The training preset (SAM2VLM_PRESET).")] = None,
    *,
    video: Annotated[str | None, VIDEO] = None,
    dialect: Annotated[str | None, DIALECT] = None,
    extend: Annotated[str | None, EXTEND] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Discard finished phases of other inputs or settings in that folder.")
    ] = False,
) -> None:
    """Prepare, train, evaluate and export, one process each, as the cluster's Jobs do."""
    from rich.console import Console

    from jobs.catalog import known_names
    from jobs.job_settings import JobSettings, load_settings
    from jobs.local import run_phases, summary
    from sam2vlm.artifacts import RunLayout

    told = {"RUN": run, "PRESET": preset, "REPLACE": "true" if replace else None}
    settings = {name: str(value) for name, value in told.items() if value is not None}
    settings |= given(exports, video, dialect, extend)
    ends = run_phases(settings)
    console = Console()
    if ends[-1].exit_code != 0:
        console.print(
            f"{ends[-1].phase} ended with exit code {ends[-1].exit_code}; the line above says why.", style="red"
        )
        raise typer.Exit(ends[-1].exit_code)
    folder = run or load_settings(JobSettings, known=known_names()).run
    summary(RunLayout(folder), ends, console)
