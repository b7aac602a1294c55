from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

from structlog.testing import capture_logs

from sam2vlm.tracking import TrainingProgress


def test_without_a_terminal_a_logging_step_is_one_event_with_rate_and_time_left():
    with capture_logs() as events:
        progress = TrainingProgress(total_steps=10, done_steps=4, samples_per_step=8)
        progress.step(5, 1.0)
        progress.report(5, loss=1.0)
        progress.close()
    (event,) = events
    assert (event["event"], event["step"], event["of"], event["loss"]) == ("training_step", 5, 10, 1.0)
    assert event["samples_per_second"] > 0
    assert event["seconds_left"] >= 0


def test_on_a_terminal_the_bar_shows_steps_and_loss(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with capture_logs() as events:
        progress = TrainingProgress(total_steps=10, done_steps=0, samples_per_step=8)
        progress.step(10, 0.125)
        progress.report(10, loss=0.125)
        progress.close()
    assert events == []
    assert "loss 0.1250" in capsys.readouterr().out


PROGRAM = """
import time
from sam2vlm.logs import configure_logging
from sam2vlm.tracking.progress import TrainingProgress
configure_logging("train")
progress = TrainingProgress(total_steps=12000, done_steps=0, samples_per_step=8)
for step in (1, 2, 3):
    time.sleep(0.05)
    progress.step(step, 1.25)
progress.evaluated(3, eval_loss=1.5)
progress.close()
"""


def test_a_terminal_of_80_columns_has_room_for_steps_loss_and_time_left():
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
    # What it writes is less than the terminal's buffer holds, so nobody has to read meanwhile.
    subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(ours, 1 << 16).decode())
    os.close(ours)
    lines = shown.replace("\r", "\n").splitlines()
    last = [line for line in lines if line.startswith("training")][-1]
    assert re.search(r"3/12000 loss 1\.2500 [\d.]+ samples/s 0:00:\d\d left \d:\d\d:\d\d", last), last
    (told,) = [line for line in lines if "evaluated" in line]
    assert "eval_loss=1.5" in told
