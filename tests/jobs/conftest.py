"""A small export, and prepare as a call and as a process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.entrypoint import _guarded
from jobs.prepare.__main__ import work
from jobs.train import other_node
from sam2vlm.artifacts import digest_of_file, files_below
from sam2vlm.logs import configure_logging
from sam2vlm.sample import write_sample
from tests.node_meetings import Meeting

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a phase ended: its exit code, its events and everything it printed."""

    code: int
    events: list
    printed: str

    @property
    def failures(self):
        return [event for event in self.events if event["event"] == "failed"]

    def named(self, event):
        return [found for found in self.events if found["event"] == event]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.startswith("SAM2VLM_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    """Sixty frames of 96 x 64 at 5 a second: twelve seconds, enough for gaps of one."""
    path = tmp_path_factory.mktemp("export") / "export.zip"
    write_sample(path, frames=60, objects=4, width=96, height=64, seed=5)
    return path


@pytest.fixture
def prepare_here(monkeypatch, capsys):
    """Run prepare inside of this process, from the settings to the exit code; much faster than a process."""

    def run(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"SAM2VLM_{name}", str(value))
        capsys.readouterr()
        configure_logging("prepare")
        code = _guarded("prepare", work)
        printed = capsys.readouterr()
        return Ended(code, [json.loads(line) for line in printed.out.splitlines()], printed.out + printed.err)

    yield run
    configure_logging("tests")  # closes the run's log


@pytest.fixture
def prepare_process():
    """Run prepare as a container does."""

    def run(**settings):
        told = {f"SAM2VLM_{name}": str(value) for name, value in settings.items()}
        ended = subprocess.run(
            [sys.executable, "-m", "jobs.prepare"],
            env={**os.environ, **told},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(
            ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stdout + ended.stderr
        )

    return run


@pytest.fixture(scope="session")
def tree():
    """The digest of every file below a folder, hidden ones too."""
    return lambda folder: {name: digest_of_file(folder / name) for name in files_below(folder)}


@pytest.fixture
def impatient(monkeypatch):
    """Have nodes look for node 0 more often than they do on a cluster."""
    monkeypatch.setattr(other_node, "TRY_EVERY_S", 0.05)


@pytest.fixture
def meeting(tmp_path):
    """Two nodes that are to meet."""
    return Meeting(tmp_path)
