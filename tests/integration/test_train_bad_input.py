"""What train refuses: one sentence that names the place, the exit code that fits, and nothing left behind."""

from __future__ import annotations

import json
import shutil
import signal
import sys

import pytest
from datasets import Dataset

from sam2vlm.artifacts import Counts, RunLayout, digest_of_tree, open_phase
from sam2vlm.modeling.source import find_model
from tests.training_runs import FEATURES, frame, prepared_run, split, training_environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are held by their descriptors, which Linux has"),
]


def prepared_with(root, *, train=None, val=None):
    """A finished prepare phase with splits of one's own."""
    layout = RunLayout(root)
    with open_phase(layout, "prepare", inputs={"export": "0" * 64}, settings={}, seed=0) as phase:
        splits = {"train": split(4) if train is None else train, "val": split(2) if val is None else val}
        for name, rows in splits.items():
            rows.save_to_disk(str(phase.folder / "dataset" / name))
        (phase.folder / "dataset" / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
        phase.finish(counts=Counts(seen=1, kept=1), facts={})
    return layout


def last_error(layout):
    lines = (layout.logs / "train-0.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert not any("traceback" in event for event in events)
    return [event["error"] for event in events if event["event"] == "failed"][-1]


def refused(server, layout, **settings):
    """The exit code and the sentence; nothing of a result may be there."""
    code = server.attempt(training_environment(layout, REQUIRE_LEARNING="false", **settings))
    assert not layout.manifest("train").exists()
    assert not layout.adapter.exists()
    assert list(layout.checkpoints.glob("*")) == []
    return code, last_error(layout)


def without_a_picture():
    rows = [frame(number) for number in range(4)]
    rows[2]["image"] = None
    return Dataset.from_list(rows, features=FEATURES)


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ({"val": split(2).select([])}, "val: the split has no frames"),
        ({"train": split(4).select([])}, "train: the split has no frames"),
        ({"train": without_a_picture()}, "train: image of video/000002: 1 of 4 frames have no picture"),
        ({"train": split(4).remove_columns("instructions")}, "train: instructions: its dataset was written by another"),
        ({"train": split(4, tasks=())}, "the split has no samples to train on"),
    ],
    ids=["empty val", "empty train", "no picture", "another version", "no questions"],
)
def test_a_dataset_that_cannot_be_trained_on_is_bad_data(server, tmp_path, splits, told):
    code, error = refused(server, prepared_with(tmp_path / "run", **splits))
    assert code == 65
    assert told in error


def test_a_manifest_of_another_version_is_bad_data(server, tmp_path):
    layout = prepared_with(tmp_path / "run")
    path = layout.manifest("prepare")
    path.write_text(path.read_text().replace("sam2vlm.manifest/1", "sam2vlm.manifest/9"))
    code, error = refused(server, layout)
    assert code == 65
    assert "format" in error
    assert "sam2vlm.manifest/9" in error


def test_targets_that_match_no_module_are_wrong_settings(server, tmp_path):
    code, error = refused(server, prepared_with(tmp_path / "run"), LORA__TARGET_MODULES='["no_such_module"]')
    assert code == 78
    assert "target_modules" in error
    assert "no_such_module" in error


@pytest.mark.parametrize(
    ("blind", "told"),
    [("model", "is not a vision-language model"), ("processor", "model: its processor cannot be loaded")],
)
def test_a_model_that_is_no_vision_language_model_is_a_wrong_setting(server, tmp_path, blind, told):
    folder = tmp_path / "model"
    shutil.copytree(find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config["text_config"], "architectures": ["LlamaForCausalLM"]}))
    if blind == "processor":
        for path in folder.glob("*processor*.json"):
            path.unlink()
    code, error = refused(server, prepared_with(tmp_path / "run"), MODEL_FOLDER=folder)
    assert code == 78
    assert told in error


@pytest.fixture(scope="module")
def half_done(server, tmp_path_factory):
    """A run that was killed behind its first checkpoint."""
    layout = prepared_run(tmp_path_factory.mktemp("half") / "run", train=8, val=2)
    reached = (layout.checkpoints / "step-000002").exists
    environment = training_environment(layout, CHECKPOINTS__SAVE_EVERY_STEPS=2)
    assert server.attempt(environment, until=reached) == -signal.SIGKILL
    return layout


def test_another_world_size_at_a_resume_is_a_wrong_setting_and_costs_no_checkpoint(half_done, server):
    before = digest_of_tree(half_done.checkpoints)
    environment = training_environment(half_done, CHECKPOINTS__SAVE_EVERY_STEPS=2, DEVICES__PROCESSES_PER_NODE=2)
    assert server.attempt(environment) == 78
    error = last_error(half_done)
    assert "train: devices.processes_per_node: holds half-finished work with other" in error
    assert error.endswith("(expected 1; found 2)")
    assert digest_of_tree(half_done.checkpoints) == before


def test_a_dataset_that_was_prepared_anew_is_refused_at_a_resume_and_costs_no_checkpoint(half_done, server, tmp_path):
    layout = prepared_run(tmp_path / "run", train=10, val=2)
    shutil.copytree(half_done.phase("train"), layout.phase("train"))
    before = digest_of_tree(layout.checkpoints)
    assert server.attempt(training_environment(layout, CHECKPOINTS__SAVE_EVERY_STEPS=2)) == 78
    assert "train: inputs.prepare: holds half-finished work with other inputs.prepare" in last_error(layout)
    assert digest_of_tree(layout.checkpoints) == before
