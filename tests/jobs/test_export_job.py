"""``python -m jobs.export`` as a container runs it: two interpreters with torch, so most of it is integration.

What is inside of it is tested fast in ``tests/unit/export``.
"""

from __future__ import annotations

import json
import random
import shutil
import time

import pytest
from huggingface_hub import ModelCard

from sam2vlm.artifacts import RunLayout, files_below, read_manifest, verify_outputs
from tests.finished_runs import EXPERIMENT, finished_evaluation, finished_training, run_phase, start_phase


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    layout = finished_training(tmp_path_factory.mktemp("export") / "run", test_frames=3)
    finished_evaluation(layout)
    return layout


@pytest.fixture(scope="module")
def finished(evaluated):
    code, events = run_phase("export", evaluated)
    assert code == 0, events
    return evaluated, events


@pytest.fixture
def copied(evaluated, tmp_path):
    """The run before its export, to be spoilt."""
    for phase in ("prepare", "train", "evaluate"):
        shutil.copytree(evaluated.phase(phase), tmp_path / "run" / phase)
    return RunLayout(tmp_path / "run")


def contents(layout):
    folder = layout.phase("export")
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


@pytest.mark.integration
def test_adapter_merged_model_and_card_are_there(finished):
    layout, _ = finished
    manifest = read_manifest(layout.manifest("export"))
    verify_outputs(layout.phase("export"), manifest)
    assert {
        "README.md",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "adapter/chat_template.jinja",
        "merged/config.json",
        "merged/model.safetensors",
        "merged/chat_template.jinja",
    } <= set(manifest.outputs)
    assert set(manifest.inputs) == {"prepare", "train", "evaluate"}
    assert ModelCard.load(layout.phase("export") / "README.md").data.model_name == EXPERIMENT


@pytest.mark.integration
def test_what_was_reloaded_answered_as_the_trained_model_did(finished):
    layout, events = finished
    found = read_manifest(layout.manifest("export")).facts["verification"]
    assert (found["answers"], found["adapter_text_share"], found["merged_text_share"]) == (6, 1.0, 1.0)
    assert any(event["event"] == "reloaded merged answers count" for event in events)


@pytest.mark.integration
def test_nothing_of_this_machine_is_in_it(finished):
    layout, _ = finished
    assert not [name for name, data in contents(layout).items() if str(layout.root.parent).encode() in data]
    config = json.loads((layout.phase("export") / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llava"


@pytest.mark.integration
def test_a_second_start_does_nothing_and_says_so(finished):
    layout, _ = finished
    code, events = run_phase("export", layout)
    assert code == 0
    assert [event["event"] for event in events] == ["already done"]


def test_without_an_evaluation_it_says_so(copied):
    shutil.rmtree(copied.phase("evaluate"))
    code, events = run_phase("export", copied)
    assert code == 65
    assert "the evaluate phase has not finished here" in events[-1]["error"]
    assert not copied.phase("export").exists()


@pytest.mark.integration
def test_an_export_that_answers_otherwise_is_not_published(copied):
    """The recorded answers say something else than the adapter does: as if the wrong one had been exported."""
    folder = copied.phase("evaluate")
    rows = [json.loads(line) for line in (folder / "predictions" / "tuned.jsonl").read_text().splitlines()]
    rows[0]["answer"] = "fish [0.10, 0.10, 0.20, 0.20]"
    (folder / "predictions" / "tuned.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _seal_again(folder)
    code, events = run_phase("export", copied)
    assert code == 65
    assert "answers 1 of 6 questions otherwise than the trained one" in events[-1]["error"]
    assert not copied.phase("export").exists()
    assert not (copied.root / ".export.partial").exists()


def _seal_again(folder):
    from sam2vlm.artifacts import records_of, write_json

    manifest = json.loads((folder / "manifest.json").read_text())
    records = records_of(folder, exclude=("manifest.json",))
    manifest["outputs"] = {name: record.model_dump() for name, record in records.items()}
    write_json(folder / "manifest.json", manifest)


@pytest.mark.integration
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes(finished, copied):
    layout, _ = finished
    moments = random.Random(6)
    for _ in range(4):
        process = start_phase("export", copied)
        time.sleep(moments.uniform(1, 20))
        process.kill()
        process.communicate()
    assert run_phase("export", copied)[0] == 0
    assert contents(copied) == contents(layout)
