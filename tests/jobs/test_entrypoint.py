"""The exit code, the one failed event and the last words of every way to end."""

import json
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import errno, os, sys, time
from jobs.entrypoint import run_job
from sam2vlm.errors import DataError, InterruptedRunError, SettingsError

def sleep():
    print('{"event": "ready"}', flush=True)
    time.sleep(60)

def fail(error):
    raise error

def swallow():
    try:
        sleep()
    except Exception:
        return "last words"

def mistake():
    try:
        sleep()
    except Exception as error:
        raise ImportError("no such module") from error

def linger():
    try:
        sleep()
    finally:
        print('{"event": "clearing up"}', flush=True)
        time.sleep(1)

run_job("prepare", {
    "done": lambda: "last words",
    "data": lambda: fail(DataError("broken", source="export.zip")),
    "settings": lambda: fail(SettingsError("impossible")),
    "interrupted": lambda: fail(InterruptedRunError("stopped")),
    "space": lambda: fail(OSError(errno.ENOSPC, "No space left on device", "volume/x")),
    "bug": lambda: 1 / 0,
    "keyboard": lambda: fail(KeyboardInterrupt()),
    "sleep": sleep,
    "swallow": swallow,
    "mistake": mistake,
    "linger": linger,
}[sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ("done", 0, "last words"),
        ("data", 65, "export.zip: broken"),
        ("settings", 78, "impossible"),
        ("interrupted", 75, "stopped"),
        ("space", 75, "volume/x: no space left while running prepare; free some or enlarge the volume"),
        ("keyboard", 75, "interrupted from the keyboard; start it again to go on"),
        ("bug", 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_ends(tmp_path, monkeypatch, way, code, words):
    monkeypatch.setenv("SAM2VLM_TERMINATION_LOG", str(tmp_path / "words"))
    ended = subprocess.run([sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert ended.stderr == ""
    assert (tmp_path / "words").read_text() == words
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    failed = [event for event in events if event["event"] == "failed"]
    assert len(failed) == (0 if code == 0 else 1)
    if failed:
        assert failed[0]["error"] == words


def test_sigterm_ends_with_75_so_that_the_job_is_not_complete():
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "sleep"], stdout=subprocess.PIPE, text=True) as process:
        assert "ready" in process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 75
        assert "SIGTERM" in process.stdout.read()


@pytest.mark.parametrize("way", ["swallow", "mistake"])
def test_no_library_takes_sigterm_for_an_error_of_its_own(way):
    with subprocess.Popen([sys.executable, "-c", SCRIPT, way], stdout=subprocess.PIPE, text=True) as process:
        assert "ready" in process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 75


def test_a_second_sigterm_while_clearing_up_changes_nothing():
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "linger"], stdout=subprocess.PIPE, text=True) as process:
        assert "ready" in process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert "clearing up" in process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 75
        assert time.monotonic() - began > 0.8


def test_a_termination_log_that_cannot_be_written_does_not_fail_the_phase(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM2VLM_TERMINATION_LOG", str(tmp_path / "no" / "such" / "folder"))
    assert subprocess.run([sys.executable, "-c", SCRIPT, "done"], check=False).returncode == 0


@pytest.mark.parametrize("phase", ["prepare", "train", "evaluate", "export"])
def test_a_phase_that_is_given_arguments_does_not_run_without_them(phase, tmp_path):
    command = [sys.executable, "-m", f"jobs.{phase}", "--run", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 78
    assert "the command line: a phase takes no arguments" in json.loads(ended.stdout)["error"]
