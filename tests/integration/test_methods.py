"""Every method from its settings in the environment to a verified export: train, evaluate, export, reload, merge."""

from __future__ import annotations

import json

import pytest

from sam2vlm.artifacts import RunLayout, read_manifest
from tests.finished_runs import finished_preparation, run_phase
from tests.training_runs import train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SHORT = {"TRAINING__NUM_EPOCHS": 3, "CHECKPOINTS__SAVE_EVERY_STEPS": 3}
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
