"""``sam2vlm prepare|train|evaluate|export``: the same process as ``python -m jobs.<phase>``."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, NoReturn

import typer

__all__ = ["DIALECT", "EXPORTS", "EXTEND", "VIDEO", "evaluate", "export", "given", "prepare", "train"]

EXPORTS = typer.Option(
    "--export", help="A ZIP, a folder of one export or of several, or a pattern; as often as wanted (SAM2VLM_EXPORT)."
)
VIDEO = typer.Option(help="The source video for clean frames; of several a JSON object (SAM2VLM_VIDEO).")
DIALECT = typer.Option(help="How the masks are written, where it shall not be found out (SAM2VLM_ARCHIVE__DIALECT).")
EXTEND = typer.Option(help="An earlier run to add the exports to (SAM2VLM_EXTEND).")


def prepare(
    exports: Annotated[list[str] | None, EXPORTS] = None,
    video: Annotated[str | None, VIDEO] = None,
    dialect: Annotated[str | None, DIALECT] = None,
    extend: Annotated[str | None, EXTEND] = None,
) -> NoReturn:
    """Read exports, check them, write the dataset, its splits and the report."""
    for name, value in given(exports, video, dialect, extend).items():
        os.environ[f"SAM2VLM_{name}"] = value
    _become("prepare")


def given(exports: list[str] | None, video: str | None, dialect: str | None, extend: str | None) -> dict[str, str]:
    """Return what options name as variables without their prefix; one that is not given leaves the environment's."""
    places = exports[0] if exports and len(exports) == 1 else json.dumps(exports) if exports else None
    told = {"EXPORT": places, "VIDEO": video, "ARCHIVE__DIALECT": dialect, "EXTEND": extend}
    return {name: value for name, value in told.items() if value is not None}


def train() -> NoReturn:
    """Fine-tune the preset's model on the prepared dataset; a half-finished run goes on."""
    _become("train")


def evaluate() -> NoReturn:
    """Score the base and the tuned model on the test split."""
    _become("evaluate")


def export() -> NoReturn:
    """Package adapter and merged model, and check what was written."""
    _become("export")


def _become(phase: str) -> NoReturn:
    # Not a child process: signals reach the phase itself, and its exit code is this command's.
    os.execv(sys.executable, [sys.executable, "-m", f"jobs.{phase}"])  # noqa: S606  no shell wanted
