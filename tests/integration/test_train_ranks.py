"""Two ranks over gloo, ZeRO 0 to 3: the same training as one rank with the same global batch."""

from __future__ import annotations

import json
import shutil
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts import digest_of_tree
from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, start_training, train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

COMMON = {"TRAINING__NUM_EPOCHS": 2, "CHECKPOINTS__SAVE_EVERY_STEPS": 5, "REQUIRE_LEARNING": "false"}
ONE_RANK = {**COMMON, "TRAINING__BATCH_SIZE": 4}
TWO_RANKS = {**COMMON, "TRAINING__BATCH_SIZE": 2, "DEVICES__PROCESSES_PER_NODE": 2}
OFFLOAD = {"DEVICES__OFFLOAD_OPTIMIZER": "true", "DEVICES__OFFLOAD_PARAMETERS": "true"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=21, val=5)


@pytest.fixture
def run(prepared, tmp_path):
    def with_settings(name, **settings):
        shutil.copytree(prepared.root, tmp_path / name)
        layout = type(prepared)(tmp_path / name)
        code, events = train(layout, **settings)
        assert code == 0, events[-1]
        return layout

    return with_settings


def weights(layout):
    return load_file(layout.adapter / "adapter_model.safetensors")


def losses(layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    return [line.get("loss", line.get("eval_loss")) for line in lines]


@pytest.mark.parametrize(
    "settings",
    [
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 0},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 1},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 2},
        {**ONE_RANK, "DEVICES__ZERO_STAGE": 2},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 1, "DEVICES__OFFLOAD_OPTIMIZER": "true"},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 2, "DEVICES__OFFLOAD_OPTIMIZER": "true"},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 3},
        {**TWO_RANKS, "DEVICES__ZERO_STAGE": 3, **OFFLOAD},
        {**COMMON, "TRAINING__BATCH_SIZE": 2, "TRAINING__GRADIENT_ACCUMULATION_STEPS": 2},
    ],
    ids=[
        "2 ranks zero 0",
        "2 ranks zero 1",
        "2 ranks zero 2",
        "1 rank zero 2",
        "offload zero 1",
        "offload zero 2",
        "2 ranks zero 3",
        "offload zero 3",
        "1 rank accumulating",
    ],
)
def test_the_same_global_batch_is_the_same_training(run, settings):
    reference, layout = run("reference", **ONE_RANK), run("other", **settings)
    assert losses(layout) == pytest.approx(losses(reference), rel=1e-4)
    expected, found = weights(reference), weights(layout)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)


@pytest.mark.parametrize("stage", [2, 3])
def test_two_ranks_stop_together_and_resume_to_the_same_bytes(run, prepared, tmp_path, stage):
    settings = {**TWO_RANKS, "DEVICES__ZERO_STAGE": stage, "TRACKING__LOGGING_EVERY_STEPS": 1}
    unbroken = run("unbroken", **settings)
    shutil.copytree(prepared.root, tmp_path / "broken")
    layout = type(prepared)(tmp_path / "broken")
    process = start_training(layout, **settings)
    metrics = layout.phase("train") / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not any(line["step"] == 3 for line in read_metrics(metrics)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 75
    logs = [(layout.logs / f"train-{rank}.jsonl").read_text().splitlines() for rank in (0, 1)]
    assert all(json.loads(line)["rank"] == rank for rank, lines in enumerate(logs) for line in lines)
    code, events = train(layout, **settings)
    assert code == 0, events[-1]
    assert next(event for event in events if event["event"] == "resuming")["step"] >= 3
    assert digest_of_tree(layout.adapter) == digest_of_tree(unbroken.adapter)
    assert layout.manifest("train").read_bytes() == unbroken.manifest("train").read_bytes()


def test_a_loss_of_nan_names_the_samples_on_whichever_rank(prepared, tmp_path):
    shutil.copytree(prepared.root, tmp_path / "run")
    layout = type(prepared)(tmp_path / "run")
    poisoned = tmp_path / "model"
    poison(poisoned)
    code, events = train(layout, **{**TWO_RANKS, "MODEL_FOLDER": poisoned})
    assert code == 65, events[-1]
    assert "validation loss is not finite before the first step" in events[-1]["error"]
    assert events[-1]["error"].count("video/001") >= 2


def poison(folder):
    """The packaged model with one weight that is not a number."""
    from safetensors.torch import save_file

    from sam2vlm.modeling.source import find_model

    shutil.copytree(find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder, folder)
    values = load_file(folder / "model.safetensors")
    name = next(name for name in sorted(values) if "language_model" in name and "norm" in name)
    values[name][0] = float("nan")
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
