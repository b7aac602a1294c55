"""``sam2vlm prepare|train|evaluate|export``: the same process as ``python -m jobs.<phase>``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

__all__ = [
    "DIALECT",
    "EXPORTS",
    "EXTEND",
    "PRESET",
    "REPLACE",
    "RUN",
    "VIDEO",
    "evaluate",
    "export",
    "export_settings",
    "prepare",
    "run_settings",
    "train",
]

RUN = typer.Option(help="The run's folder (SAM2VLM_RUN).")
PRESET = typer.Option(help="The training preset (SAM2VLM_PRESET).")
REPLACE = typer.Option(
    "--replace", help="Discard what is there of other inputs or settings in that folder (SAM2VLM_REPLACE)."
)

EXPORTS = typer.Option(
    "--export", help="A ZIP, a folder of one export or of several, or a pattern; as often as wanted (SAM2VLM_EXPORT)."
)
VIDEO = typer.Option(help="The source video for clean frames; of several a JSON object (SAM2VLM_VIDEO).")
DIALECT = typer.Option(help="How the masks are written, where it shall not be found out (SAM2VLM_ARCHIVE__DIALECT).")
EXTEND = typer.Option(help="An earlier run to add the exports to (SAM2VLM_EXTEND).")


def prepare(
    exports: Annotated[list[str] | None, EXPORTS] = None,
    run: Annotated[Path | None, RUN] = None,
    *,
    video: Annotated[str | None, VIDEO] = None,
    dialect: Annotated[str | None, DIALECT] = None,
    extend: Annotated[str | None, EXTEND] = None,
    replace: Annotated[bool, REPLACE] = False,
) -> NoReturn:
    """Read exports, check them, write the dataset, its splits and the report."""
    _become("prepare", {**run_settings(run, None, replace=replace), **export_settings(exports, video, dialect, extend)})


def train(
    run: Annotated[Path | None, RUN] = None,
    preset: Annotated[str | None, PRESET] = None,
    *,
    replace: Annotated[bool, REPLACE] = False,
) -> NoReturn:
    """Fine-tune the preset's model on the prepared dataset; a half-finished run goes on."""
    _become("train", run_settings(run, preset, replace=replace))


def evaluate(run: Annotated[Path | None, RUN] = None, *, replace: Annotated[bool, REPLACE] = False) -> NoReturn:
    """Score the base and the tuned model on the test split."""
    _become("evaluate", run_settings(run, None, replace=replace))


def export(run: Annotated[Path | None, RUN] = None, *, replace: Annotated[bool, REPLACE] = False) -> NoReturn:
    """Package adapter and merged model, or the whole model, and check what was written."""
    _become("export", run_settings(run, None, replace=replace))


def run_settings(run: Path | None, preset: str | None, *, replace: bool) -> dict[str, str]:
    """Return the options of every phase as variables without their prefix; one that is not given is left out."""
    told = {"RUN": run, "PRESET": preset, "REPLACE": "true" if replace else None}
    return {name: str(value) for name, value in told.items() if value is not None}


def export_settings(
    exports: list[str] | None, video: str | None, dialect: str | None, extend: str | None
) -> dict[str, str]:
    """Return what says where the exports are as variables without their prefix; one that is not given is left out."""
    places = exports[0] if exports and len(exports) == 1 else json.dumps(exports) if exports else None
    told = {"EXPORT": places, "VIDEO": video, "ARCHIVE__DIALECT": dialect, "EXTEND": extend}
    return {name: value for name, value in told.items() if value is not None}


def _become(phase: str, settings: dict[str, str]) -> NoReturn:
    environment = os.environ | {f"SAM2VLM_{name}": value for name, value in settings.items()}
    # Not a child process: signals reach the phase itself, and its exit code is this command's.
    os.execve(sys.executable, [sys.executable, "-m", f"jobs.{phase}"], environment)  # noqa: S606  no shell wanted
