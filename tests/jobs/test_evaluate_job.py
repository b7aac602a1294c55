"""``python -m jobs.evaluate`` as a container runs it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time

import pytest

from sam2vlm.artifacts import RunLayout, files_below, read_manifest, verify_outputs
from tests.finished_runs import EXPERIMENT, finished_training, run_phase, start_phase


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return finished_training(tmp_path_factory.mktemp("evaluate") / "run", test_frames=3)


@pytest.fixture(scope="module")
def finished(trained):
    code, events = run_phase("evaluate", trained)
    assert code == 0, events
    return trained, events


@pytest.fixture
def copied(trained, tmp_path):
    """The run before its evaluation, to be spoilt."""
    for phase in ("prepare", "train"):
        shutil.copytree(trained.phase(phase), tmp_path / "run" / phase)
    return RunLayout(tmp_path / "run")


def contents(layout):
    folder = layout.phase("evaluate")
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


def refused(layout, **settings):
    """Run the phase; return exit code and sentence. Nothing may be published."""
    code, events = run_phase("evaluate", layout, **settings)
    assert not layout.phase("evaluate").exists()
    assert not (layout.root / ".evaluate.partial").exists()
    assert "traceback" not in events[-1]
    return code, events[-1]["error"]


def test_its_manifest_names_inputs_outputs_and_what_later_phases_need(finished):
    layout, _ = finished
    manifest = read_manifest(layout.manifest("evaluate"))
    verify_outputs(layout.phase("evaluate"), manifest)
    assert set(manifest.inputs) == {"prepare", "train"}
    assert {"metrics.json", "report.md", "predictions/base.jsonl", "predictions/tuned.jsonl"} <= set(manifest.outputs)
    assert manifest.counts.kept == 3
    assert manifest.settings["threads"] == 1
    assert manifest.settings["experiment"] == EXPERIMENT
    assert manifest.facts["dtype"] in ("float32", "bfloat16")
    assert "torch" in manifest.versions


def test_it_says_what_it_does_and_the_figures(finished):
    _, events = finished
    assert {event["phase"] for event in events} == {"evaluate"}
    assert any(event["event"] == "tuned model answers detect" and event["done"] == 3 for event in events)
    assert any("tuned_mAP50" in event for event in events)


def test_nothing_of_this_machine_is_in_it(finished):
    layout, _ = finished
    assert not [name for name, data in contents(layout).items() if str(layout.root.parent).encode() in data]


def test_a_second_start_does_nothing_and_says_so(finished):
    layout, _ = finished
    before = {name: (layout.phase("evaluate") / name).stat().st_mtime_ns for name in contents(layout)}
    code, events = run_phase("evaluate", layout)
    assert code == 0
    assert [event["event"] for event in events] == ["already done"]
    assert before == {name: (layout.phase("evaluate") / name).stat().st_mtime_ns for name in contents(layout)}


def test_other_settings_on_a_finished_run_are_refused(finished):
    layout, _ = finished
    code, events = run_phase("evaluate", layout, EVALUATION__BATCH_SIZE=3)
    assert code == 78
    assert "already holds a finished evaluate with other settings batch_size" in events[-1]["error"]


def test_without_a_training_it_says_so(copied):
    shutil.rmtree(copied.phase("train"))
    code, sentence = refused(copied)
    assert code == 65
    assert "the train phase has not finished here" in sentence


def test_an_adapter_that_changed_is_refused(copied):
    path = copied.adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, sentence = refused(copied)
    assert code == 65
    assert "changed since the phase finished" in sentence


def test_another_dataset_than_the_one_that_was_trained_on_is_refused(copied):
    """Its test frames may be among those that were trained on."""
    path = copied.manifest("prepare")
    path.write_text(path.read_text().replace('"reef.mp4"', '"other.mp4"'))
    code, sentence = refused(copied)
    assert code == 65
    assert "was made from another prepare" in sentence


def test_a_setting_that_is_impossible_or_unknown_is_refused(copied):
    assert refused(copied, EVALUATION__BATCH_SIZE=0)[0] == 78
    code, sentence = refused(copied, EVALUATION__BATCHSIZE=4)
    assert code == 78
    assert "SAM2VLM_EVALUATION__BATCHSIZE" in sentence


def test_another_base_model_than_the_trained_one_is_refused(copied, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    code, sentence = refused(copied, MODEL_FOLDER=tmp_path / "model")
    assert code == 65
    assert "not those that the training began with" in sentence


@pytest.mark.integration
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes(finished, copied):
    layout, _ = finished
    moments = random.Random(5)
    for _ in range(4):
        process = start_phase("evaluate", copied, EVALUATION__LIMIT=0)
        time.sleep(moments.uniform(1, 12))
        process.kill()
        process.communicate()
    assert run_phase("evaluate", copied)[0] == 0
    assert contents(copied) == contents(layout)


@pytest.mark.integration
def test_terminated_it_asks_for_a_retry(copied):
    process = start_phase("evaluate", copied, EVALUATION__MAX_NEW_TOKENS=4096, EVALUATION__BATCH_SIZE=1)
    # Only once its work has begun is the signal its own to handle.
    while not (copied.root / ".evaluate.partial").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 75
    assert json.loads(out.splitlines()[-1])["exit_code"] == 75
