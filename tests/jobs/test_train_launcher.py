from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from jobs.train.launcher import _environment
from jobs.train.verdicts import Verdict, judge, leave_verdict

OK, DATA, SETTINGS = Verdict(0, "done"), Verdict(65, "bad data"), Verdict(78, "bad settings")
STOPPED, CRASH = Verdict(75, "stopped"), Verdict(1, "KeyError")
LOST = Verdict(1, "lost another training process", follows=True)

CASES = [
    ([OK, OK], False, 0),
    ([STOPPED, STOPPED], True, 75),
    ([OK, STOPPED], True, 75),
    ([DATA], False, 65),
    ([CRASH, DATA], False, 65),
    ([STOPPED, DATA], True, 65),
    ([SETTINGS, STOPPED], True, 78),
    ([CRASH, STOPPED], False, 1),
    ([], True, 75),
    ([STOPPED], True, 75),
    ([], False, 1),
    ([STOPPED], False, 75),
    ([LOST, STOPPED], False, 75),
    ([LOST, DATA], False, 65),
    ([LOST, CRASH], False, 1),
    ([LOST, LOST], False, 1),
    ([LOST], False, 1),
    ([LOST], True, 75),
]


@pytest.mark.parametrize(("verdicts", "interrupted", "code"), CASES)
def test_one_exit_code_is_made_of_the_ranks(verdicts, interrupted, code):
    assert judge(verdicts, processes=2, interrupted=interrupted, complaint="").exit_code == code


def test_a_rank_that_died_without_a_word_is_told_with_what_was_complained():
    dead = "2 of 2 training processes died without a word (logs/train-stderr.log)"
    verdict = judge([], processes=2, interrupted=False, complaint="Killed")
    assert verdict.message == f"{dead}: Killed"
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1\n    a()\nerrors.DistError: in use\n\n'
    verdict = judge([], processes=2, interrupted=False, complaint=traceback)
    assert verdict.message == f"{dead}: errors.DistError: in use"
    assert judge([], processes=2, interrupted=False, complaint="").message == f"{dead}: nothing was written"


REPORT = """
[1]:
  rank      : 0 (local_rank: 0)
  exitcode  : 1 (pid: 27369)
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 27370)  (SIGKILL)
"""


def test_the_signal_that_killed_a_rank_is_told_and_not_what_the_others_said():
    verdict = judge([LOST], processes=2, interrupted=False, complaint=REPORT)
    assert verdict.message == (
        "1 of 2 training processes died of SIGKILL (logs/train-stderr.log); "
        "start it again to go on from the last checkpoint"
    )


@pytest.mark.parametrize("cause", [DATA, SETTINGS, CRASH, STOPPED])
def test_the_rank_that_failed_is_heard_and_not_those_that_lost_it(cause):
    assert judge([LOST, cause], processes=2, interrupted=False, complaint=REPORT) is cause


def test_a_verdict_is_there_whole(tmp_path):
    leave_verdict(tmp_path, 1, DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_the_ranks_die_with_a_launcher_that_is_killed(tmp_path):
    """A rank that went on writing would meet the next start in the same folder."""
    mark = tmp_path / "alive"
    child = textwrap.dedent(
        f"""
        import os, time, pathlib
        from sam2vlm.orphans import die_with_parent
        die_with_parent(launcher=os.getppid())
        for number in range(1000):
            pathlib.Path({str(mark)!r}).write_text(str(number))
            time.sleep(0.02)
        """
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    time.sleep(0.3)
    before = mark.read_text()
    time.sleep(0.3)
    assert mark.read_text() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
@pytest.mark.parametrize(("relation", "code"), [("getppid", 0), ("getpid", 137)])
def test_a_rank_that_starts_after_its_launcher_died_leaves_at_once(relation, code):
    # Its own number is nobody's among its ancestors, as that of a launcher that is gone.
    child = f"import os; from sam2vlm.orphans import die_with_parent; die_with_parent(launcher=os.{relation}())"
    assert subprocess.run([sys.executable, "-c", child], cwd=Path(__file__).parents[2], check=False).returncode == code


def test_what_others_set_for_torchrun_does_not_reach_it(tmp_path, monkeypatch):
    """With PET_NNODES=2 a training on one machine waited for the other one for ever."""
    monkeypatch.setenv("PET_NNODES", "2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:/runs")
    given = _environment(3, scratch=tmp_path)
    assert [name for name in given if name.startswith("PET_")] == []
    assert (given["MLFLOW_TRACKING_URI"], given["OMP_NUM_THREADS"]) == ("file:/runs", "3")
