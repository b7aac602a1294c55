"""Packed rows together with everything else that a training may be asked for at once, from the settings to the end."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts import read_manifest
from sam2vlm.tracking import read_metrics
from tests.training_runs import prepared_run, train, training_environment
from tests.wide_llava import wide_llava

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PACKED = {
    "TRAINING__PACKING": "true",
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 2,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 2,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
}
ASKED = {"TRACKING__PREDICTION_FRAMES": 1, "TRACKING__PREDICTION_TOKENS": 2}
FULL = {"TRAINING__METHOD": "full", "TRAINING__LEARNING_RATE": 1e-3}
SHARDS = {"TRAINING__BATCH_SIZE": 1, "DEVICES__PROCESSES_PER_NODE": 2, "DEVICES__ZERO_STAGE": 3}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=12, val=2, tasks=("detect", "count"))


def lines(layout):
    return read_metrics(layout.phase("train") / "metrics.jsonl")


def losses(layout):
    return [line.get("loss", line.get("eval_loss")) for line in lines(layout)]


def asked_at(layout):
    """The steps at which the model was asked about its frame."""
    return [line["step"] for line in read_metrics(layout.logs / "predictions.jsonl")]


def test_whole_weights_in_shards_learn_what_one_rank_does_and_answer_on_the_way(fresh, server):
    one, two = fresh("one"), fresh("two")
    assert server.attempt(training_environment(one, **PACKED, **FULL)) == 0
    code, events = train(two, **{**PACKED, **FULL, **SHARDS, **ASKED})
    assert code == 0, events[-1]
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    expected, found = (load_file(layout.model / "model.safetensors") for layout in (one, two))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)
    last = lines(one)[-1]["step"]
    # 24 samples of 76 to 130 tokens in rows of 512: by length they would be 12 steps an epoch.
    assert last < 12
    assert (asked_at(one), asked_at(two)) == ([], [last // 2, last])


def test_an_adapter_on_four_bits_learns_and_answers_on_the_way(fresh, server, tmp_path):
    layout, model = fresh("run"), wide_llava(tmp_path / "model").folder
    settings = {**PACKED, **ASKED, "TRAINING__METHOD": "qlora", "MODEL_FOLDER": model}
    assert server.attempt(training_environment(layout, **settings)) == 0
    assert read_manifest(layout.manifest("train")).facts["result"]["learned"]
    last = lines(layout)[-1]["step"]
    assert last < 12
    assert asked_at(layout) == [last // 2, last]
