"""Every supported family through the phases: one rank and two, the evaluation, the export and its fresh process.

Training, evaluation and export are the jobs themselves, each in a process forked from one that has the libraries
loaded (``tests/forked_training.py``); what verifies the export is an interpreter of its own, as always.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil

import pytest
import torch
from datasets import load_from_disk
from safetensors.torch import load_file

from sam2vlm.artifacts import RunLayout, read_manifest, verify_outputs
from sam2vlm.config import ModelRegistry
from sam2vlm.tracking import read_metrics
from tests.families import FAMILIES
from tests.finished_runs import finished_preparation, phase_environment
from tests.forked_training import PHASE
from tests.training_runs import training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

TRAINING = {
    # The demo's own targets are those of its model.
    "PRESET": "quick_test",
    "DEVICES__PRECISION": "fp32",
    "LORA__DROPOUT": 0,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 50,
    "REQUIRE_LEARNING": "false",
    "TRAINING__LEARNING_RATE": 0.02,
    "DEVICES__ZERO_STAGE": 2,
    "TRACKING__PREDICTION_FRAMES": 2,
    "TRACKING__PREDICTION_TOKENS": 6,
}
ASKING = {"EVALUATION__MAX_NEW_TOKENS": 8, "EVALUATION__PICTURES": 1, "EVALUATION__BATCH_SIZE": 4, "THREADS": 1}
#: How an answer begins that names a crab, or any other label, in the family's own convention.
BEGINS = {
    "qwen2_vl": r"<\|object_ref_start\|>{label}<\|object_ref_end\|><\|box_start\|>\(\d+,\d+\),",
    "qwen2_5_vl": r'\[\{{"bbox_2d": \[\d+, ',
    "qwen3_vl": r'\[\{{"bbox_2d": \[\d+, ',
    "internvl": r"<ref>{label}</ref><box>\[\[\d+, ",
    "paligemma": r"(<loc\d{{4}}>){{4}} {label}",
}
FRACTIONS = r"{label} \[0\.\d\d, "


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def runs(family, server, tmp_path_factory):
    """A run of one rank, and one of two with the same global batch that is evaluated and exported."""
    root = tmp_path_factory.mktemp(family.name)
    family.save(root / "model")
    found = {ranks: RunLayout(root / f"ranks-{ranks}") for ranks in (1, 2)}
    finished_preparation(found[1], test_frames=4)
    shutil.copytree(found[1].root, found[2].root)
    entry = smallest(family)
    model = {"MODEL": entry.name, "MODEL_FOLDER": root / "model", "MAX_LENGTH": min(entry.max_positions, 8192)}
    for ranks, layout in found.items():
        ranked = {"TRAINING__BATCH_SIZE": 4 // ranks, "DEVICES__PROCESSES_PER_NODE": ranks}
        done(server, layout, "train", training_environment(layout, **TRAINING, **ranked, **model))
    asked = {**ASKING, "MODEL_FOLDER": root / "model"}
    for phase in ("evaluate", "export"):
        done(server, found[2], phase, phase_environment(found[2], **asked))
    return found


def smallest(family):
    """The entry of the family's smallest model, which stands for them all."""
    entries = [ModelRegistry.get(name) for name in ModelRegistry.names()]
    own = [entry for entry in entries if entry.type == family.name and not entry.packaged]
    return min(own, key=lambda entry: entry.parameters)


def done(server, layout, phase, environment):
    code = server.attempt({**environment, PHASE: phase})
    log = layout.logs / f"{phase}-0.jsonl"
    assert code == 0, log.read_text().splitlines()[-1] if log.exists() else f"{phase} refused its settings"


def losses(layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    return [line.get("loss", line.get("eval_loss")) for line in lines]


def test_two_ranks_train_as_one_does(runs):
    assert losses(runs[2]) == pytest.approx(losses(runs[1]), rel=1e-4)
    expected, found = (load_file(runs[ranks].adapter / "adapter_model.safetensors") for ranks in (1, 2))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)
    assert read_manifest(runs[2].manifest("train")).facts["world_size"] == 2
    assert losses(runs[2])[-1] < losses(runs[2])[0]


def test_they_are_asked_in_the_middle_of_their_training(runs):
    one, two = ([line["step"] for line in read_metrics(layout.logs / "predictions.jsonl")] for layout in runs.values())
    assert one == two != []


def test_the_evaluation_reads_the_familys_own_boxes(family, runs):
    metrics = read_manifest(runs[2].manifest("evaluate")).facts["metrics"]
    # The true answers' own texts, written and read back in the family's convention, find every object.
    assert metrics["ceiling"]["mAP50"] == pytest.approx(1.0)
    lines = (runs[2].phase("evaluate") / "predictions" / "tuned.jsonl").read_text().splitlines()
    line = next(line for line in map(json.loads, lines) if line["task"] == "detect")
    label = line["truth"]["objects"][0]["label"]
    assert re.match(BEGINS.get(family.name, FRACTIONS).format(label=label), line["truth"]["answer"])


def test_the_cards_code_answers_as_the_trained_model_does(runs, monkeypatch, tmp_path):
    folder = runs[2].phase("export")
    lines = (runs[2].phase("evaluate") / "predictions" / "tuned.jsonl").read_text().splitlines()
    said = next(line for line in map(json.loads, lines) if line["task"] == "detect")
    test = load_from_disk(str(runs[2].dataset))["test"]
    test[list(test["sample_id"]).index(said["sample_id"])]["image"].save(tmp_path / "picture.png")
    (tmp_path / "merged").symlink_to(folder / "merged")
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[0]
    assert json.dumps(said["prompt"]) in code
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)
    special = names["processor"].tokenizer.all_special_tokens
    assert plain(names["answer"], special) == plain(said["answer"], special)


def plain(text, special):
    """What is left of a random model's answer without the special tokens that the card may leave out."""
    return re.sub("|".join(map(re.escape, special)), "", text).strip()


def test_what_a_fresh_process_reloads_answers_as_the_trained_model_does(runs):
    manifest = read_manifest(runs[2].manifest("export"))
    verify_outputs(runs[2].phase("export"), manifest)
    found = manifest.facts["verification"]
    assert (found["answers"], found["adapter_text_share"], found["merged_text_share"]) == (8, 1.0, 1.0)
    assert found["max_logits_difference"] < 1e-3
    assert {"adapter/chat_template.jinja", "merged/chat_template.jinja"} <= set(manifest.outputs)
