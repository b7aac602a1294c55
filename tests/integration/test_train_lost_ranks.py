"""Two ranks, one of which dies, hangs or is told to stop: both end, soon, and the next start goes on."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, start_training

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="the ranks are found by what Linux tells of processes"),
]

SETTINGS = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 30,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
    "TRACKING__EVAL_EVERY_STEPS": 1000,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "REQUIRE_LEARNING": "false",
    "DEVICES__ZERO_STAGE": 2,
    "DEVICES__PROCESSES_PER_NODE": 2,
    "GRACE_SECONDS": 4,
}


@pytest.fixture
def layout(tmp_path):
    return prepared_run(tmp_path / "run", train=8, val=2)


@pytest.fixture
def started(layout):
    """A training behind its first checkpoint."""
    process = start_training(layout, **SETTINGS)
    deadline = time.monotonic() + 240
    while not (layout.checkpoints / "step-000004").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def children(process):
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def ranks(process):
    """The process ids of the ranks, by rank; torchrun is between them and the phase."""
    (torchrun,) = children(process.pid)
    found = {}
    for child in children(torchrun):
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(item.removeprefix(b"RANK=")): child for item in environment if item.startswith(b"RANK=")}
    assert sorted(found) == [0, 1]
    return found


def gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def last_error(layout):
    lines = (layout.logs / "train-0.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if '"event": "failed"' in line][-1]["error"]


def goes_on(layout):
    """Start again and end; the checkpoint that it went on from."""
    process = start_training(layout, **SETTINGS)
    log = layout.logs / "train-0.jsonl"
    before = len(log.read_text().splitlines())
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        events = [json.loads(line) for line in log.read_text().splitlines()[before:] if line.endswith("}")]
        steps = [event["step"] for event in events if event["event"] == "training_step"]
        if steps:
            process.kill()
            process.wait()
            (resumed,) = [event["step"] for event in events if event["event"] == "resuming"]
            assert steps[0] == resumed + 1
            return resumed
        time.sleep(0.02)
    raise AssertionError(process.poll())


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_takes_the_other_with_it_and_the_next_start_goes_on(layout, started, rank):
    both = ranks(started)
    os.kill(both[rank], signal.SIGKILL)
    assert started.wait(timeout=60) == 1
    assert all(gone(process) for process in both.values())
    assert "1 of 2 training processes died of SIGKILL" in last_error(layout)
    assert goes_on(layout) >= 4


def test_a_rank_that_hangs_is_ended_behind_the_grace_and_the_next_start_goes_on(layout, started):
    both = ranks(started)
    os.kill(both[1], signal.SIGSTOP)
    began = time.monotonic()
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=60) == 75
    # A second or two for torchrun itself.
    assert SETTINGS["GRACE_SECONDS"] - 1 < time.monotonic() - began < SETTINGS["GRACE_SECONDS"] + 8
    assert all(gone(process) for process in both.values())
    assert "stopped before the next checkpoint" in last_error(layout)
    assert goes_on(layout) >= 4


def test_sigterm_keeps_every_finished_step_and_ends_within_the_grace(layout, started):
    began = time.monotonic()
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=60) == 75
    assert time.monotonic() - began < SETTINGS["GRACE_SECONDS"]
    finished = max(line["step"] for line in read_metrics(layout.phase("train") / "metrics.jsonl"))
    assert (layout.checkpoints / f"step-{finished:06d}" / "manifest.json").exists()
    assert last_error(layout).endswith(f"stopped behind the checkpoint of step {finished}")
    assert goes_on(layout) == finished
