"""Training that is killed or stopped at any moment ends with the same bytes as training that is not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import pytest

from sam2vlm.artifacts import digest_of_tree, files_below, read_manifest
from sam2vlm.artifacts.digests import digest_of_file
from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, start_training, train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SETTINGS = {
    "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
    "TRACKING__LOGGING_EVERY_STEPS": 3,
    "TRAINING__NUM_EPOCHS": 3,
    "LORA__DROPOUT": 0.1,
    "REQUIRE_LEARNING": "false",
}


def outputs(layout):
    """Every byte that the phase promises, its manifest included."""
    folder = layout.phase("train")
    names = [name for name in files_below(folder) if not name.startswith("checkpoints/")]
    return {name: digest_of_file(folder / name) for name in names}


def events_of(layout):
    path = layout.logs / "train-0.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=20, val=4)


@pytest.fixture(scope="module")
def unbroken(prepared, tmp_path_factory):
    root = tmp_path_factory.mktemp("unbroken") / "run"
    shutil.copytree(prepared.root, root)
    layout = type(prepared)(root)
    code, events = train(layout, **SETTINGS)
    assert code == 0, events[-1]
    return outputs(layout)


def wait_for(condition, process, *, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)


def step_logged(layout, step):
    metrics = layout.phase("train") / "metrics.jsonl"
    return lambda: any(line["step"] == step for line in read_metrics(metrics))


def saving(layout, step):
    staged = layout.checkpoints / f".step-{step:06d}.partial"
    return lambda: staged.exists() and any(staged.iterdir())


def published(layout, step):
    return (layout.checkpoints / f"step-{step:06d}" / "manifest.json").exists


def publishing(layout):
    return lambda: (layout.phase("train") / ".adapter.partial").exists() or layout.adapter.exists()


MOMENTS = {
    "before the first checkpoint": lambda layout: step_logged(layout, 3),
    "during the first save": lambda layout: saving(layout, 4),
    "during a later save": lambda layout: saving(layout, 8),
    "right behind a checkpoint": lambda layout: published(layout, 8),
    "in the middle of an epoch and of a logging window": lambda layout: step_logged(layout, 9),
    "during the last save": lambda layout: saving(layout, 15),
    "while the result is published": publishing,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_started_again_ends_with_the_same_bytes(fresh, unbroken, moment):
    layout = fresh("run")
    process = start_training(layout, **SETTINGS)
    wait_for(MOMENTS[moment](layout), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    code, events = train(layout, **SETTINGS)
    assert code == 0, events[-1]
    assert outputs(layout) == unbroken


def test_sigterm_saves_and_ends_with_75_and_a_retry_ends_with_the_same_bytes(fresh, unbroken):
    layout = fresh("run")
    process = start_training(layout, **SETTINGS)
    wait_for(step_logged(layout, 6), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    (last,) = [event for event in events_of(layout) if event["event"] == "failed"]
    assert "stopped behind the checkpoint of step" in last["error"]
    step = int(last["error"].split()[-1])
    assert step >= 6
    assert published(layout, step)()
    code, events = train(layout, **SETTINGS)
    assert code == 0, events[-1]
    resumed = next(event for event in events if event["event"] == "resuming")
    assert resumed["step"] == step
    # What the launcher has to say comes behind the plan, which another process tells.
    assert events[0]["event"] == "plan"
    assert outputs(layout) == unbroken


def test_sigterm_before_the_first_step_is_75_too(fresh):
    layout = fresh("run")
    process = start_training(layout, **SETTINGS)
    wait_for((layout.phase("train") / "started.json").exists, process)
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75


def test_a_second_start_beside_the_first_is_refused_with_75(fresh):
    layout = fresh("run")
    process = start_training(layout, **SETTINGS)
    try:
        wait_for((layout.phase("train") / "started.json").exists, process)
        code, events = train(layout, **SETTINGS)
    finally:
        process.kill()
        process.wait()
    assert code == 75
    assert "another process is at work" in events[-1]["error"]


def test_torn_and_tampered_checkpoints_are_passed_by_name(fresh, unbroken):
    layout = fresh("run")
    process = start_training(layout, **SETTINGS)
    wait_for(published(layout, 8), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    newest = layout.checkpoints / "step-000008"
    states = next(newest.glob("global_step*/*.pt"))
    data = bytearray(states.read_bytes())
    data[len(data) // 2] ^= 1
    states.write_bytes(data)
    code, events = train(layout, **SETTINGS)
    assert code == 0, events[-1]
    skipped = [event for event in events if event["event"] == "checkpoint_skipped"]
    assert any(event["folder"] == "step-000008" and states.name in event["reason"] for event in skipped)
    assert next(event for event in events if event["event"] == "resuming")["step"] == 4
    assert outputs(layout) == unbroken


def test_another_place_and_hash_seed_give_the_same_bytes(fresh, unbroken, monkeypatch):
    layout = fresh("a much longer name of the same run")
    monkeypatch.setenv("PYTHONHASHSEED", "123")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    code, events = train(layout, **SETTINGS)
    assert code == 0, events[-1]
    assert outputs(layout) == unbroken


def test_a_run_that_learns_nothing_fails_with_both_figures_and_fails_again_at_once(fresh):
    layout = fresh("run")
    settings = {**SETTINGS, "REQUIRE_LEARNING": "true", "TRAINING__LEARNING_RATE": 0.9, "TRAINING__NUM_EPOCHS": 1}
    code, events = train(layout, **settings)
    assert code == 65, events[-1]
    assert "learned nothing" in events[-1]["error"]
    told = next(event for event in events if event["event"] == "learned_nothing")
    assert told["best"] >= told["before"]
    assert not layout.manifest("train").exists()
    code, events = train(layout, **settings)
    assert code == 65
    assert not any(event["event"] == "training_step" for event in events)


def test_nothing_is_written_outside_of_the_run_and_the_temporary_folder(fresh, tmp_path, monkeypatch):
    layout = fresh("run")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    dataset = digest_of_tree(layout.dataset)
    code, events = train(layout, **{**SETTINGS, "TRAINING__NUM_EPOCHS": 1})
    assert code == 0, events[-1]
    assert list(home.rglob("*")) == []
    assert digest_of_tree(layout.dataset) == dataset
    assert read_manifest(layout.manifest("train")).phase == "train"
