"""The phases themselves, run on tiny models of families with variable pictures: training, two ranks, evaluation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.tracking import read_metrics
from tests.families import FAMILIES
from tests.training_runs import CHECKOUT, prepared_run, train

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

NAMES = {
    "qwen2_5_vl": "Qwen/Qwen2.5-VL-3B-Instruct",
    "llava_next": "llava-hf/llava-v1.6-mistral-7b-hf",
    "gemma3": "google/gemma-3-4b-it",
}
COMMON = {
    "CHECKPOINTS__SAVE_EVERY_STEPS": 50,
    "REQUIRE_LEARNING": "false",
    "MAX_LENGTH": 4096,
    "TRAINING__LEARNING_RATE": 0.002,
    "DEVICES__ZERO_STAGE": 2,
}


@pytest.fixture(scope="module", params=NAMES)
def trained(request, tmp_path_factory):
    """A family's name and its runs: one rank, and two with the same global batch."""
    root = tmp_path_factory.mktemp(request.param)
    next(family for family in FAMILIES if family.name == request.param).save(root / "model")
    prepared = prepared_run(root / "prepared", train=8, val=4)
    runs = {}
    for ranks in (1, 2):
        shutil.copytree(prepared.root, root / f"ranks-{ranks}")
        layout = runs[ranks] = type(prepared)(root / f"ranks-{ranks}")
        settings = {"TRAINING__BATCH_SIZE": 4 // ranks, "DEVICES__PROCESSES_PER_NODE": ranks}
        model = {"MODEL": NAMES[request.param], "MODEL_FOLDER": root / "model"}
        code, events = train(layout, **COMMON, **settings, **model)
        assert code == 0, events[-1]
    return request.param, runs, root / "model"


def losses(layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    return [line.get("loss", line.get("eval_loss")) for line in lines]


def test_two_ranks_train_as_one_does(trained):
    _family, runs, _model = trained
    assert losses(runs[2]) == pytest.approx(losses(runs[1]), rel=1e-4)
    expected, found = (load_file(runs[ranks].adapter / "adapter_model.safetensors") for ranks in (1, 2))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-2, atol=2e-4)


def test_the_evaluation_reads_the_familys_own_boxes(trained):
    family, runs, model = trained
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    asked = {"RUN": runs[1].root, "MODEL_FOLDER": model, "EVALUATION__MAX_NEW_TOKENS": 8, "EVALUATION__PICTURES": 1}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.evaluate"],
        cwd=CHECKOUT,
        env={**kept, **{f"SAM2VLM_{name}": str(value) for name, value in asked.items()}},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    facts = runs[1].manifest("evaluate")
    metrics = json.loads(facts.read_text())["facts"]["metrics"]
    # The true answers' own texts, written and read back in the family's convention, find every object.
    assert metrics["ceiling"]["mAP50"] == pytest.approx(1.0)
    line = json.loads((runs[1].phase("evaluate") / "predictions" / "tuned.jsonl").read_text().splitlines()[0])
    begins = '[{"bbox_2d": [' if family == "qwen2_5_vl" else f"{line['truth']['objects'][0]['label']} [0."
    assert line["truth"]["answer"].startswith(begins)
