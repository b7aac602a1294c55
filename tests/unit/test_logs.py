"""What a log collector and a person see."""

import json
import os
import pty
import subprocess
import sys

import pytest

from sam2vlm.logs import configure_logging, get_logger, held_back, progress, track

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


def test_what_is_held_back_is_in_the_file_at_once_and_on_the_screen_in_order_later(capsys, tmp_path):
    configure_logging("train", folder=tmp_path, rank=0)
    log = get_logger("train")
    with held_back() as let_go:
        log.info("first")
        log.info("second")
        assert capsys.readouterr().out == ""
        assert len((tmp_path / "train-0.jsonl").read_text().splitlines()) == 2
        let_go()
        log.info("third")
    log.info("fourth")
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["first", "second", "third", "fourth"]


def test_what_is_held_back_is_not_lost_by_an_error(capsys):
    configure_logging("train")

    def fail():
        with held_back():
            get_logger("train").info("first")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert json.loads(capsys.readouterr().out)["event"] == "first"


def test_another_rank_may_be_let_speak(capsys, tmp_path):
    configure_logging("train", folder=tmp_path, rank=4, speak=True)
    get_logger("trainer").info("step")
    assert json.loads(capsys.readouterr().out)["rank"] == 4


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


TALK = """
import sys
from pathlib import Path
from sam2vlm.logs import configure_logging, get_logger
configure_logging("prepare", folder=Path(sys.argv[1]))
for number in range(3):
    get_logger("prepare").info("reading", number=number, path=sys.argv[2])
"""


def talk(folder, *, redirect="", path="a", **environment):
    """Log three events in a process of its own, started by a shell; return its end and the events of its file."""
    ended = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" "$2" "$3" {redirect}', sys.executable, TALK, folder, path],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    return ended, [json.loads(line) for line in (folder / "prepare-0.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("redirect", ["| true; exit ${PIPESTATUS[0]}", ">/dev/full", ">&-"])
def test_a_lost_standard_output_does_not_end_the_work(tmp_path, redirect):
    ended, kept = talk(tmp_path, redirect=redirect)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert [event["number"] for event in kept] == [0, 1, 2]


@pytest.mark.parametrize("path", ["r\u00f6", b"r\xff"])
def test_a_name_that_cannot_be_encoded_does_not_end_the_work(tmp_path, path):
    ended, kept = talk(tmp_path, path=path, PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(ended.stdout.splitlines()) == len(kept) == 3
