"""QLoRA from its settings to a verified export: trained on four bits, evaluated and merged on the whole base."""

from __future__ import annotations

import shutil
import signal
import time

import pytest

from sam2vlm.artifacts import RunLayout, digest_of_tree, read_manifest
from sam2vlm.tracking import read_metrics
from tests.finished_runs import finished_preparation, run_phase
from tests.training_runs import start_training, train
from tests.wide_llava import wide_llava

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SHORT = {
    "TRAINING__METHOD": "qlora",
    "TRAINING__NUM_EPOCHS": 4,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "LORA__PROJECTOR": "trained",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return wide_llava(tmp_path_factory.mktemp("model")).folder


@pytest.fixture(scope="module")
def trained(model, tmp_path_factory):
    layout = RunLayout(tmp_path_factory.mktemp("run") / "run")
    finished_preparation(layout, test_frames=3)
    shutil.copytree(layout.root, layout.root.with_name("broken"))
    code, events = train(layout, **SHORT, MODEL_FOLDER=model)
    assert code == 0, events[-1]
    return layout


def test_it_learns_and_its_export_is_verified(trained, model):
    assert read_manifest(trained.manifest("train")).facts["result"]["learned"]
    for phase in ("evaluate", "export"):
        code, events = run_phase(phase, trained, EVALUATION__MAX_NEW_TOKENS=16, MODEL_FOLDER=model)
        assert code == 0, events[-1]
    found = read_manifest(trained.manifest("export")).facts["verification"]
    assert (found["adapter_text_share"], found["merged_text_share"]) == (1.0, 1.0)
    card = (trained.phase("export") / "README.md").read_text()
    assert "qlora: the base in four bits (NF4) while training, whole in evaluation and merge" in card


def test_a_run_that_was_stopped_ends_with_the_same_bytes(trained, model):
    layout = RunLayout(trained.root.with_name("broken"))
    process = start_training(layout, **SHORT, MODEL_FOLDER=model)
    metrics = layout.phase("train") / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not any(line["step"] >= 2 for line in read_metrics(metrics)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    code, events = train(layout, **SHORT, MODEL_FOLDER=model)
    assert code == 0, events[-1]
    assert any(event["event"] == "resuming" for event in events)
    assert digest_of_tree(layout.adapter) == digest_of_tree(trained.adapter)
