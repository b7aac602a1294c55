"""Run prepare over a made export inside of this process and see how it ended."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import structlog

from jobs.entrypoint import _guarded
from jobs.prepare.__main__ import work
from sam2vlm.logs import configure_logging
from tests.broken_exports.case import LIGHT, SETTINGS_OF_ALL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broken_exports.case import Case
    from tests.broken_exports.parts import Made


@dataclass(frozen=True)
class Ended:
    """How prepare ended.

    Attributes:
        code: Its exit code.
        events: What it logged to standard output.
        errors: What it wrote to standard error.
        run: Its run's folder.
    """

    code: int
    events: list
    errors: str
    run: Path

    @property
    def failures(self):
        return [event for event in self.events if event["event"] == "failed"]

    @property
    def sentence(self):
        return self.failures[0]["error"] if self.failures else ""

    @property
    def report(self):
        return (self.run / "prepare" / "report.md").read_text()

    @property
    def rows(self):
        """The dataset's rows, read without any of the reader's own code."""
        found = []
        for shard in sorted((self.run / "prepare" / "dataset").glob("*/*.arrow")):
            with pa.OSFile(str(shard)) as source, pa.ipc.open_stream(source) as stream:
                found += stream.read_all().to_pylist()
        return found


def environment(path, run, settings):
    """The variables of a run of prepare."""
    told = {"EXPORT": path, "RUN": run, **SETTINGS_OF_ALL, **settings}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    return kept | {f"SAM2VLM_{name}": str(value) for name, value in told.items()}


def prepare(path, folder, settings):
    """Run prepare from the settings to the exit code, as its process does, with the run's folder in ``folder``."""
    run = folder / "run"
    before = dict(os.environ)
    printed, errors = io.StringIO(), io.StringIO()
    os.environ.clear()
    os.environ.update(environment(path, run, {**LIGHT, **settings}))
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            configure_logging("prepare")
            code = _guarded("prepare", work)
            configure_logging("tests")  # closes the run's log
    finally:
        os.environ.clear()
        os.environ.update(before)
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
    return Ended(code, [json.loads(line) for line in printed.getvalue().splitlines()], errors.getvalue(), run)


def run_case(case: Case, folder: Path) -> tuple[Made, Ended]:
    """Make a case's export in a folder and prepare it there."""
    made = case.make(folder)
    return made, prepare(made.path, folder, settings_in(case, folder))


def settings_in(case: Case, folder: Path) -> dict[str, str]:
    """Return a case's settings, with the folder's path where they name it."""
    return {name: str(value).replace("{folder}", str(folder)) for name, value in case.settings.items()}
