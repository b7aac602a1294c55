"""The coordinator's process: its settings, and how it ends. What it decides is in tests/unit/cluster."""

import json
import os
import subprocess
import sys

import pytest

from jobs.coordinate.settings import coordinate_settings
from sam2vlm.errors import SettingsError

RIGHT = {"SAM2VLM_COORDINATE_RELEASE": "reef", "SAM2VLM_COORDINATE_NAMESPACE": "lab"}


def test_settings_come_from_the_environment(monkeypatch):
    for name, value in {**RIGHT, "SAM2VLM_COORDINATE_RESYNC_SECONDS": "5"}.items():
        monkeypatch.setenv(name, value)
    settings = coordinate_settings()
    assert (settings.release, settings.namespace, settings.resync_seconds) == ("reef", "lab", 5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SAM2VLM_COORDINATE_RELEASE": ""}, r"SAM2VLM_COORDINATE_RELEASE: Field required"),
        ({"SAM2VLM_COORDINATE_NAMESPACE": "Lab_1"}, r"SAM2VLM_COORDINATE_NAMESPACE: .*found Lab_1"),
        ({"SAM2VLM_COORDINATE_RESYNC_SECONDS": "0"}, r"SAM2VLM_COORDINATE_RESYNC_SECONDS: .*found 0"),
        ({"SAM2VLM_COORDINATE_RESYNC": "5"}, r"SAM2VLM_COORDINATE_RESYNC: the coordinator has no such setting"),
    ],
)
def test_a_wrong_setting_is_one_sentence(change, said, monkeypatch):
    for name, value in {**RIGHT, **change}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        coordinate_settings()


def test_its_process_ends_with_78_and_leaves_its_last_words(tmp_path):
    words = tmp_path / "termination-log"
    done = subprocess.run(
        [sys.executable, "-m", "jobs.coordinate"],
        env={**os.environ, **RIGHT, "SAM2VLM_COORDINATE_RESYNC_SECONDS": "soon", "SAM2VLM_TERMINATION_LOG": str(words)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert not done.stderr
    (event,) = map(json.loads, done.stdout.splitlines())
    assert event["error"] == words.read_text()
    assert "SAM2VLM_COORDINATE_RESYNC_SECONDS" in event["error"]


def test_an_unforeseen_error_is_one_that_is_tried_again(tmp_path):
    """Outside of a cluster and without a kubeconfig the client cannot be made."""
    done = subprocess.run(
        [sys.executable, "-m", "jobs.coordinate"],
        env={**os.environ, **RIGHT, "KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75
    assert "met something unforeseen" in done.stdout


def test_neither_torch_nor_the_client_is_imported_for_an_upload():
    script = (
        "import sys, jobs.receive.__main__; print([m for m in ('torch', 'kubernetes', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
