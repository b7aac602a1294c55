"""Two nodes as two launchers on this machine: the training of one node with two ranks, whoever goes on the way."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sam2vlm.artifacts import digest_of_tree
from tests.ports import free_port
from tests.training_runs import CHECKOUT, prepared_run, train, training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

COMMON = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 4,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 2,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "REQUIRE_LEARNING": "false",
    "DEVICES__ZERO_STAGE": 2,
}
WAIT_S = 240


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """One node with two ranks."""
    layout = prepared_run(tmp_path_factory.mktemp("one") / "run", train=21, val=5)
    shutil.copytree(layout.root, layout.root.with_name("prepared"))
    code, events = train(layout, **COMMON, DEVICES__PROCESSES_PER_NODE=2)
    assert code == 0, events[-1]
    return layout


class Nodes:
    """Two launchers of one training."""

    def __init__(self, layout, **settings):
        self.layout = layout
        port = free_port()
        where = {"RENDEZVOUS__HOST": "127.0.0.1", "RENDEZVOUS__PORT": port, "RENDEZVOUS__TIMEOUT_SECONDS": 120}
        self.settings = {**COMMON, "DEVICES__NODES": 2, **where, **settings}

    def start(self):
        environment = training_environment(self.layout, **self.settings)
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "jobs.train"],
                cwd=CHECKOUT,
                env={**environment, "JOB_COMPLETION_INDEX": str(index)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for index in (0, 1)
        ]

    def wait_for_checkpoint(self, after=0):
        deadline = time.monotonic() + WAIT_S
        while (newest := newest_step(self.layout)) <= after:
            assert [process.poll() for process in self.processes] == [None, None]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return newest

    def end(self):
        """The exit code and the events of each node."""
        said = [process.communicate(timeout=WAIT_S)[0].splitlines() for process in self.processes]
        return [
            (process.returncode, [json.loads(line) for line in lines])
            for process, lines in zip(self.processes, said, strict=True)
        ]


def newest_step(layout):
    steps = [int(path.parent.name.removeprefix("step-")) for path in layout.checkpoints.glob("step-*/manifest.json")]
    return max(steps, default=0)


def curve(layout):
    return (layout.phase("train") / "metrics.jsonl").read_bytes()


def test_two_nodes_stop_together_go_on_together_and_end_as_two_ranks_of_one_node_do(reference, tmp_path):
    shutil.copytree(reference.root.with_name("prepared"), tmp_path / "run")
    layout = type(reference)(tmp_path / "run")
    nodes = Nodes(layout)

    # A signal to one of them: both are behind the same checkpoint, and only that one counts as a failure.
    nodes.start()
    nodes.wait_for_checkpoint()
    nodes.processes[1].send_signal(signal.SIGTERM)
    (first, said), (second, others) = nodes.end()
    assert (first, second) == (68, 75)
    assert said[0]["event"] == others[0]["event"] == "plan"
    assert (said[0]["nodes"], said[0]["processes"]) == (2, 2)
    stopped = newest_step(layout)
    assert others[-1]["error"] == f"stopped behind the checkpoint of step {stopped}"
    assert said[-1]["error"] == f"node 1: stopped behind the checkpoint of step {stopped}"

    # One of them is gone at once: the other does not wait for it.
    nodes.start()
    after = nodes.wait_for_checkpoint(after=stopped)
    nodes.processes[1].kill()
    (first, said), (second, _) = nodes.end()
    assert (first, second) == (75, -signal.SIGKILL)
    assert said[-1]["error"] == "node 1 was lost; start all again to go on from the last checkpoint"

    nodes.start()
    (first, said), (second, others) = nodes.end()
    assert (first, second) == (0, 0), (said[-1], others[-1])
    assert next(event for event in said if event["event"] == "resuming")["step"] >= after
    assert digest_of_tree(layout.adapter) == digest_of_tree(reference.adapter)
    assert curve(layout) == curve(reference)
    # Every file was written by one process alone.
    logs = [path.read_text().splitlines() for path in sorted(layout.logs.glob("train-*.jsonl"))]
    assert [{json.loads(line)["rank"] for line in lines} for lines in logs] == [{0}, {1}]

    # What comes back to a training that is finished has nothing to wait for.
    begun = time.monotonic()
    nodes.start()
    assert [code for code, _ in nodes.end()] == [0, 0]
    assert time.monotonic() - begun < 60

    # Another number of nodes is another training.
    code, events = train(layout, **COMMON, DEVICES__PROCESSES_PER_NODE=2)
    assert code == 78
    assert "devices" in events[-1]["error"]
