"""What a log collector and a person see."""

import json
import os
import pty
import subprocess
import sys

import pytest

from sam2vlm.logs import configure_logging, get_logger, progress, track

SCRIPT = """
import time
from sam2vlm.logs import configure_logging, get_logger, progress
configure_logging("prepare")
get_logger("prepare").info("reading", frames=3)
with progress(40, "reading frames", "frames") as advance:
    for _ in range(40):
        advance(1)
        time.sleep(0.005)
"""


@pytest.fixture(autouse=True)
def _files_are_closed():
    yield
    configure_logging("test")


def test_off_a_terminal_every_line_is_json(capsys, tmp_path):
    configure_logging("train", folder=tmp_path, rank=0)
    get_logger("trainer").info("step", loss=0.5, hf_token="hf_abc", api_key="k", tokens=12)
    assert list(track(range(3), "counting", "things", total=3)) == [0, 1, 2]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "step"
    assert lines[0]["phase"] == "train"
    assert lines[0]["hf_token"] == lines[0]["api_key"] == "***"
    assert lines[-1] | {"done": 3, "total": 3, "unit": "things", "seconds_left": 0.0} == lines[-1]
    assert [json.loads(line) for line in (tmp_path / "train-0.jsonl").read_text().splitlines()] == lines


def test_other_ranks_write_only_their_file(capsys, tmp_path):
    configure_logging("train", folder=tmp_path, rank=1)
    get_logger("trainer").info("step")
    with progress(1, "a", "b") as advance:
        advance(1)
    assert capsys.readouterr().out == ""
    assert '"rank": 1' in (tmp_path / "train-1.jsonl").read_text()


def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left():
    parent, child = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=child, env={**os.environ, "COLUMNS": "140"}):
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # Linux answers EIO when the last writer has gone
                break
            if not part:
                break
            shown += part
    os.close(parent)
    text = shown.decode()
    assert "reading frames" in text
    assert "40/40" in text
    assert " frames " in text
    assert "/s" in text
    assert "left" in text
    assert "{" not in text
