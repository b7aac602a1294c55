"""Packed rows through the whole train phase: two ranks as one, killed and resumed to the same bytes."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts import files_below
from sam2vlm.artifacts.digests import digest_of_file
from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, train, training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SETTINGS = {
    "TRAINING__PACKING": "true",
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 3,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "REQUIRE_LEARNING": "false",
}
TWO_RANKS = {"TRAINING__BATCH_SIZE": 1, "DEVICES__PROCESSES_PER_NODE": 2, "DEVICES__ZERO_STAGE": 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared") / "run"
    return prepared_run(root, train=18, val=4, tasks=("detect", "count", "describe"))


def copy_of(layout, root):
    shutil.copytree(layout.root, root)
    return type(layout)(root)


@pytest.fixture(scope="module")
def undisturbed(prepared, server, tmp_path_factory):
    layout = copy_of(prepared, tmp_path_factory.mktemp("undisturbed") / "run")
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    return layout


def outputs(layout):
    folder = layout.phase("train")
    return {name: digest_of_file(folder / name) for name in files_below(folder)}


def lines(layout):
    return read_metrics(layout.phase("train") / "metrics.jsonl")


def test_steps_epochs_and_the_useful_share_are_those_of_rows(undisturbed):
    steps = [line for line in lines(undisturbed) if "loss" in line]
    # 54 samples of 76 to 130 tokens, five or so in a row of 512, two rows a step.
    assert len(steps) == 18
    assert steps[-1]["epoch"] == 3.0
    assert steps[5]["epoch"] == 1.0
    assert sum(line["useful_token_share"] for line in steps) / len(steps) >= 0.95


def test_two_ranks_train_as_one_does(prepared, undisturbed, tmp_path):
    layout = copy_of(prepared, tmp_path / "run")
    code, events = train(layout, **{**SETTINGS, **TWO_RANKS})
    assert code == 0, events[-1]

    def losses(run):
        return [line.get("loss", line.get("eval_loss")) for line in lines(run)]

    assert losses(layout) == pytest.approx(losses(undisturbed), rel=1e-4)
    expected, found = (load_file(run.adapter / "adapter_model.safetensors") for run in (undisturbed, layout))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)


def test_killed_in_the_middle_of_an_epoch_it_ends_with_the_same_bytes(prepared, undisturbed, server, tmp_path):
    layout = copy_of(prepared, tmp_path / "run")
    environment = training_environment(layout, **SETTINGS)
    metrics = layout.phase("train") / "metrics.jsonl"

    def in_the_second_epoch():
        return metrics.exists() and any(line["step"] == 9 for line in read_metrics(metrics))

    assert server.attempt(environment, until=in_the_second_epoch) == -9
    assert server.attempt(environment) == 0
    assert outputs(layout) == outputs(undisturbed)


def test_a_family_that_is_not_exact_is_refused_before_anything_is_read(prepared, tmp_path):
    layout = copy_of(prepared, tmp_path / "run")
    code, events = train(layout, **{**SETTINGS, "MODEL": "google/gemma-3-4b-it", "MAX_LENGTH": 2048})
    assert code == 78
    assert "training.packing: rows of several samples are not exact for google/gemma-3-4b-it" in events[-1]["error"]


def test_fused_kernels_without_a_gpu_are_refused(prepared, server, tmp_path):
    layout = copy_of(prepared, tmp_path / "run")
    assert server.attempt(training_environment(layout, **SETTINGS, DEVICES__LIGER="on")) == 78
    assert "devices.liger: fused kernels run on a CUDA GPU" in (layout.logs / "train-0.jsonl").read_text()
