"""`sam2vlm prepare --export --video --dialect --extend`: options are the variables of the same meaning."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam2vlm.cli.phases import export_settings, run_settings


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ((None, None, None, None), {}),
        ((["a.zip"], None, None, None), {"EXPORT": "a.zip"}),
        ((["a.zip", "b"], "v.mp4", None, None), {"EXPORT": '["a.zip", "b"]', "VIDEO": "v.mp4"}),
        ((None, None, "sa-v", "runs/one"), {"ARCHIVE__DIALECT": "sa-v", "EXTEND": "runs/one"}),
    ],
)
def test_only_what_is_given_is_set(options, variables):
    assert export_settings(*options) == variables


@pytest.mark.parametrize(
    ("run", "preset", "replace", "variables"),
    [
        (None, None, False, {}),
        (Path("runs/one"), "production", True, {"RUN": "runs/one", "PRESET": "production", "REPLACE": "true"}),
    ],
)
def test_options_of_every_phase_are_the_common_settings(run, preset, replace, variables):
    assert run_settings(run, preset, replace=replace) == variables


def test_an_option_goes_before_the_environment(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "from sam2vlm.cli import main; main()", "evaluate", "--run", str(tmp_path / "mine")],
        env={**os.environ, "SAM2VLM_RUN": str(tmp_path / "another")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 65
    assert str(tmp_path / "mine" / "prepare" / "manifest.json") in ended.stdout


def test_the_phase_gets_them_over_the_environment(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    missing = tmp_path / "none.zip"
    ended = subprocess.run(
        [sys.executable, "-c", "from sam2vlm.cli import main; main()", "prepare", "--export", str(missing)],
        env={**environment, "SAM2VLM_EXPORT": "another.zip", "SAM2VLM_RUN": str(tmp_path / "run")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 65
    (failed,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert failed["error"] == f"{missing}: is not there (expected a ZIP archive or a folder; found nothing)"
