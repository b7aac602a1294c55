"""Whole weights from their settings to a verified export: one rank, two ranks in shards, and killed on the way."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts import RunLayout, digest_of_file, digest_of_tree, files_below, read_manifest
from sam2vlm.modeling.source import find_model
from sam2vlm.tracking import read_metrics
from tests.finished_runs import finished_preparation, run_phase
from tests.training_runs import prepared_run, start_training, train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

FULL = {"TRAINING__METHOD": "full", "TRAINING__LEARNING_RATE": 1e-3, "TRACKING__LOGGING_EVERY_STEPS": 1}
#: Every part learns, at rates of its own and with decay: what is not the same at every stage shows.
EVERYTHING = {
    **FULL,
    "FULL__VISION_TOWER": "true",
    "TRAINING__VISION_TOWER_LEARNING_RATE": 2e-4,
    "TRAINING__PROJECTOR_LEARNING_RATE": 2e-3,
    "TRAINING__WEIGHT_DECAY": 0.1,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 3,
    "TRAINING__NUM_EPOCHS": 1,
    "REQUIRE_LEARNING": "false",
}
TWO_RANKS = {**EVERYTHING, "TRAINING__BATCH_SIZE": 2, "DEVICES__PROCESSES_PER_NODE": 2}
STAGE_2 = {**TWO_RANKS, "DEVICES__ZERO_STAGE": 2, "DEVICES__GRADIENT_CHECKPOINTING": "true"}
STAGE_3 = {**TWO_RANKS, "DEVICES__ZERO_STAGE": 3}


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def base():
    return weights(find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder)


def test_it_learns_is_evaluated_and_its_export_is_the_trained_model(base, tmp_path):
    layout = RunLayout(tmp_path / "run")
    finished_preparation(layout, test_frames=3)
    code, events = train(layout, **FULL, TRAINING__NUM_EPOCHS=3, CHECKPOINTS__SAVE_EVERY_STEPS=3)
    assert code == 0, events[-1]
    assert not layout.adapter.exists()
    facts = read_manifest(layout.manifest("train")).facts
    assert facts["result"]["learned"]
    found = weights(layout.model)
    assert found.keys() == base.keys()
    still = {name for name, value in found.items() if torch.equal(value, base[name].to(value.dtype))}
    assert still == {name for name in base if "vision_tower" in name}
    learned = sum(value.numel() for name, value in found.items() if name not in still)
    assert (facts["full"]["parameters"], facts["full"]["parts"]["vision_tower"]) == (learned, 0)

    for phase in ("evaluate", "export"):
        code, events = run_phase(phase, layout, EVALUATION__MAX_NEW_TOKENS=16)
        assert code == 0, events[-1]
    said = [(layout.phase("evaluate") / "predictions" / f"{name}.jsonl").read_text() for name in ("base", "tuned")]
    assert said[0] != said[1]
    exported = layout.phase("export")
    assert read_manifest(layout.manifest("export")).facts["verification"]["model_text_share"] == 1.0
    assert sorted(path.name for path in exported.iterdir()) == ["README.md", "manifest.json", "model"]
    assert digest_of_tree(exported / "model") == digest_of_tree(layout.model)
    card = (exported / "README.md").read_text()
    assert "| method | full: the weights themselves, without an adapter |" in card
    assert "| frozen parts | vision tower |" in card
    generation = json.loads((exported / "model" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [1202]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=21, val=5)


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    folder, known = tmp_path_factory.mktemp("runs"), {}

    def with_settings(**settings):
        key = json.dumps(settings, sort_keys=True)
        if key not in known:
            layout = RunLayout(shutil.copytree(prepared.root, folder / str(len(known))))
            code, events = train(layout, **settings)
            assert code == 0, events[-1]
            known[key] = layout
        return known[key]

    return with_settings


def losses(layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    return [line.get("loss", line.get("eval_loss")) for line in lines]


@pytest.mark.parametrize("settings", [STAGE_2, STAGE_3], ids=["stage 2 checkpointed", "stage 3"])
def test_two_ranks_train_as_one_does(run, base, settings):
    one, two = run(**EVERYTHING, TRAINING__BATCH_SIZE=4), run(**settings)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    expected, found = weights(one.model), weights(two.model)
    assert found.keys() == expected.keys() == base.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)
    # What comes behind the layer that features are taken from never learns, and never decays.
    changed = {name for name, value in found.items() if not torch.equal(value, base[name].to(value.dtype))}
    unused = {name for name in base if "vision_tower" in name} - changed
    assert unused == {name for name in base if "vision_tower" in name and "post_layernorm" in name}


def test_killed_in_shards_it_ends_with_the_same_bytes(run, prepared, tmp_path):
    unbroken = run(**STAGE_3)
    layout = RunLayout(shutil.copytree(prepared.root, tmp_path / "run"))
    process = start_training(layout, **STAGE_3)
    deadline = time.monotonic() + 300
    while not (layout.checkpoints / "step-000003").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    code, events = train(layout, **STAGE_3)
    assert code == 0, events[-1]
    assert next(event for event in events if event["event"] == "resuming")["step"] >= 3
    assert digest_of_tree(layout.model) == digest_of_tree(unbroken.model)
    assert layout.manifest("train").read_bytes() == unbroken.manifest("train").read_bytes()
    last = unbroken.checkpoints / "step-000006"
    assert {name: digest_of_file(last / name) for name in files_below(last)} == {
        name: digest_of_file(layout.checkpoints / "step-000006" / name) for name in files_below(last)
    }
