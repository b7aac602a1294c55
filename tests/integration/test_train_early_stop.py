"""A run that stops early because nothing gets better, and is told to stop at that very step, is finished."""

from __future__ import annotations

import shutil
import signal
import sys

import pytest

from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, training_environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are held by their descriptors, which Linux has"),
]

STEPS = 80
SETTINGS = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": STEPS // 4,
    "TRAINING__LEARNING_RATE": 0.05,
    "TRAINING__WARMUP_RATIO": 0.0,
    "CHECKPOINTS__SAVE_EVERY_STEPS": STEPS,
    "TRACKING__EVAL_EVERY_STEPS": 2,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "TRACKING__EARLY_STOPPING_PATIENCE": 1,
    "REQUIRE_LEARNING": "false",
}


def steps(layout):
    path = layout.phase("train") / "metrics.jsonl"
    return [line["step"] for line in read_metrics(path)] if path.exists() else []


def test_a_signal_at_the_step_that_ends_the_run_changes_no_byte(server, tmp_path):
    layout = prepared_run(tmp_path / "run", train=8, val=2)
    disturbed = type(layout)(tmp_path / "disturbed")
    shutil.copytree(layout.root, disturbed.root)
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    last = max(steps(layout))
    assert 4 < last < STEPS
    environment = training_environment(disturbed, **SETTINGS)
    code = server.attempt(environment, until=lambda: last - 1 in steps(disturbed), number=signal.SIGTERM)
    if code == 75:
        # The signal was early or the code wrong; either way the next attempt has to come to the same end.
        assert server.attempt(environment) == 0
    assert disturbed.manifest("train").read_bytes() == layout.manifest("train").read_bytes()
