"""Every method from its settings in the environment to a verified export: train, evaluate, export, reload, merge."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts import RunLayout, read_manifest
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.source import find_model
from sam2vlm.tracking import read_metrics
from tests.finished_runs import finished_preparation, run_phase
from tests.training_runs import prepared_run, train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SHORT = {"TRAINING__NUM_EPOCHS": 3, "CHECKPOINTS__SAVE_EVERY_STEPS": 3}
PARTS = {"LORA__VISION_TOWER": "true", "LORA__PROJECTOR": "trained", "TRACKING__LOGGING_EVERY_STEPS": 1}
METHODS = {
    "rslora and dora": {"LORA__RSLORA": "true", "LORA__DORA": "true"},
    "tower adapted, projector trained": {"LORA__VISION_TOWER": "true", "LORA__PROJECTOR": "trained"},
}


@pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
def test_it_learns_and_its_export_is_verified(tmp_path, settings):
    layout = RunLayout(tmp_path / "run")
    finished_preparation(layout, test_frames=3)
    code, events = train(layout, **SHORT, **settings)
    assert code == 0, events[-1]
    assert read_manifest(layout.manifest("train")).facts["result"]["learned"]
    for phase in ("evaluate", "export"):
        code, events = run_phase(phase, layout, EVALUATION__MAX_NEW_TOKENS=16)
        assert code == 0, events[-1]
    found = read_manifest(layout.manifest("export")).facts["verification"]
    assert (found["adapter_text_share"], found["merged_text_share"]) == (1.0, 1.0)
    saved = json.loads((layout.phase("export") / "adapter" / "adapter_config.json").read_text())
    chosen = {"use_rslora": "LORA__RSLORA", "use_dora": "LORA__DORA", "modules_to_save": "LORA__PROJECTOR"}
    assert {key for key in chosen if saved[key]} == {key for key, name in chosen.items() if name in settings}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=12)


@pytest.fixture
def run(prepared, tmp_path):
    def with_settings(name, **settings):
        shutil.copytree(prepared.root, tmp_path / name)
        layout = RunLayout(tmp_path / name)
        code, events = train(layout, REQUIRE_LEARNING="false", **{**SHORT, **PARTS, **settings})
        assert code == 0, events[-1]
        return layout

    return with_settings


def weights(layout):
    return load_file(layout.adapter / "adapter_model.safetensors")


def losses(layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    return [[line[key] for line in lines if key in line] for key in ("loss", "eval_loss")]


def largest(found, part):
    return max(value.abs().max().item() for name, value in found.items() if part in name and "lora_B" in name)


def test_a_part_learns_at_its_own_rate(run):
    """A rate of next to nothing leaves a part where it was; the others learn."""
    found = weights(run("still", TRAINING__PROJECTOR_LEARNING_RATE=1e-20, TRAINING__VISION_TOWER_LEARNING_RATE=1e-20))
    source = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava")
    base = load_model(source, class_name="LlavaForConditionalGeneration", dtype=torch.float32).state_dict()
    projector = {name: value for name, value in found.items() if "lora_" not in name}
    assert len(projector) == 4
    for name, value in projector.items():
        assert torch.equal(value, base[name.removeprefix("base_model.model.")]), name
    # B begins with zeros, and AdamW's first steps are as long as the rate.
    assert largest(found, "vision_tower") < 1e-18
    assert largest(found, "language_model") > 1e-3


@pytest.mark.parametrize(
    "settings",
    [
        {"DEVICES__ATTENTION": "eager"},
        {"DEVICES__GRADIENT_CHECKPOINTING": "true"},
        {"DEVICES__VISION_GRADIENT_CHECKPOINTING": "true"},
    ],
    ids=["eager", "checkpointing", "checkpointing of the tower"],
)
def test_how_it_is_computed_does_not_change_what_is_learned(run, settings):
    for expected, found in zip(losses(run("plain")), losses(run("other", **settings)), strict=True):
        assert found == pytest.approx(expected, rel=1e-4)


def test_noise_on_the_words_is_added_in_training_and_not_in_evaluation(run):
    plain, plain_eval = losses(run("plain"))
    noisy, noisy_eval = losses(run("noisy", TRAINING__NEFTUNE_NOISE_ALPHA=15))
    assert noisy_eval[0] == plain_eval[0]
    assert noisy[0] != plain[0]


def test_flash_attention_that_is_not_installed_ends_with_78_in_one_sentence(prepared, tmp_path):
    shutil.copytree(prepared.root, tmp_path / "run")
    settings = {"DEVICES__ATTENTION": "flash_attention_2", "DEVICES__PRECISION": "bf16"}
    code, events = train(RunLayout(tmp_path / "run"), **settings)
    assert code == 78
    assert "needs the flash-attn package" in events[-1]["error"]
