"""The train phase as a container runs it, on the packaged tiny model, for six steps."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import torch
from peft import PeftModel
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoProcessor, LlavaForConditionalGeneration

from sam2vlm.artifacts import digest_of_tree, read_manifest, verify_outputs
from sam2vlm.config import TrainingConfig
from sam2vlm.modeling.source import find_model
from sam2vlm.tracking import read_metrics
from tests.training_runs import CHECKOUT, prepared_run, train, training_environment

SETTINGS = {
    "TRAINING__NUM_EPOCHS": 1,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 3,
    "EXPERIMENT": "squares",
    "REQUIRE_LEARNING": "false",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("volume") / "run"
    layout = prepared_run(root, tasks=("detect", "count"), train=12)
    code, events = train(layout, **SETTINGS)
    assert code == 0, events
    return layout, events


def test_the_manifest_names_every_file_and_the_facts(trained):
    layout, _ = trained
    manifest = read_manifest(layout.manifest("train"))
    verify_outputs(layout.phase("train"), manifest)
    assert manifest.counts.seen == manifest.counts.kept == 24
    assert set(manifest.inputs) == {"prepare", "model"}
    facts = manifest.facts
    assert facts["base_model"]["name"] == "tiny-llava"
    assert facts["base_model"]["digest"] == find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").digest
    assert facts["result"]["steps"] == 6
    # Rank * (inputs + outputs) of each matrix: four layers of the language model, four of the tower, and the projector.
    language, tower, projector = 4 * (4 * 320 + 3 * 592), 4 * (4 * 256 + 2 * 640), 288 + 320
    assert facts["adapter"]["parameters"] == 16 * (language + tower + projector)
    assert manifest.versions["torch"] == torch.__version__
    assert not any(name.startswith("checkpoints/") for name in manifest.outputs)


def test_no_path_of_this_machine_is_in_any_output(trained):
    layout, _ = trained
    manifest = read_manifest(layout.manifest("train"))
    for name in (*manifest.outputs, "manifest.json"):
        data = (layout.phase("train") / name).read_bytes()
        assert str(layout.root).encode() not in data, name
        assert str(CHECKOUT).encode() not in data, name


def test_the_adapter_loads_in_peft_without_a_missing_key_and_changes_the_model(trained):
    layout, _ = trained
    folder = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder
    base = LlavaForConditionalGeneration.from_pretrained(folder)
    ids = torch.tensor([[base.config.image_token_id] * 64 + [5, 6]])
    inputs = {"input_ids": ids, "pixel_values": torch.zeros(1, 3, 128, 128)}
    with torch.no_grad():
        before = base(**inputs).logits
    config = json.loads((layout.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llava"
    model = PeftModel.from_pretrained(base, layout.adapter)
    report = model.load_adapter(layout.adapter, adapter_name="again")
    assert [key for key in report.missing_keys if "again" in key] == []
    assert report.unexpected_keys == []
    with torch.no_grad():
        assert not torch.allclose(model(**inputs).logits, before)


def test_processor_and_chat_template_come_with_the_adapter(trained, tmp_path):
    layout, _ = trained
    folder = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder
    ours, base = (AutoProcessor.from_pretrained(path, backend="pil") for path in (layout.adapter, folder))
    assert ours.chat_template == base.chat_template
    assert ours.tokenizer.get_vocab() == base.tokenizer.get_vocab()
    assert ours.image_processor.to_dict() == base.image_processor.to_dict()


def test_figures_are_in_metrics_tensorboard_and_plots(trained):
    layout, _ = trained
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6]
    assert [line["step"] for line in lines if "eval_loss" in line] == [0, 3, 6]
    assert all(line["grad_norm"] > 0 for line in lines if "loss" in line)
    assert not any("time" in key or "second" in key for line in lines for key in line)
    events = EventAccumulator(str(layout.logs / "tensorboard"))
    events.Reload()
    assert [item.step for item in events.Scalars("val/loss")] == [0, 3, 6]
    plots = {f"{name}.{suffix}" for name in ("loss", "optimization") for suffix in ("png", "svg")}
    assert {path.name for path in (layout.phase("train") / "plots").iterdir()} == plots
    shares = [line["useful_token_share"] for line in lines if "loss" in line]
    assert all(0.5 < share <= 1 for share in shares)
    board = [item.value for item in events.Scalars("train/useful_token_share")]
    assert board == pytest.approx(shares)


def test_what_the_machine_made_of_it_is_told_where_no_manifest_names_it(trained):
    layout, _ = trained
    lines = read_metrics(layout.logs / "speed.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6]
    for line in lines:
        # Every sample has the 64 tokens of its picture, and those of its question and answer.
        assert line["tokens_per_second"] > 64 * line["samples_per_second"] > 0
        assert 0.05 < line["peak_memory_gib"] < 64
    assert {path.name for path in (layout.logs / "plots").iterdir()} == {"speed.png", "speed.svg"}
    events = EventAccumulator(str(layout.logs / "tensorboard"))
    events.Reload()
    assert [item.step for item in events.Scalars("train/tokens_per_second")] == [2, 4, 6]


def test_the_first_word_is_the_plan(trained):
    _, events = trained
    assert events[0]["event"] == "plan"
    # On the CPU, and of a dataset whose questions prepare has not counted.
    assert (events[0]["fits"], events[0]["hours"], events[0]["gpu"]) == (None, None, None)
    assert 0 < events[0]["weights_gb"] < events[0]["total_gb"] < 8


def test_the_log_is_one_json_line_an_event_and_nothing_else(trained):
    layout, events = trained
    told = [event["event"] for event in events]
    assert told.count("training_step") == 3
    assert told.count("checkpoint_saved") == 2
    assert {"samples_ready", "trained"} <= set(told)
    step = next(event for event in events if event["event"] == "training_step")
    assert {"step", "of", "loss", "samples_per_second", "seconds_left"} <= set(step)
    written = [json.loads(line)["event"] for line in (layout.logs / "train-0.jsonl").read_text().splitlines()]
    assert [event for event in written if event in told] == told


def test_the_configuration_can_be_read_back(trained):
    layout, _ = trained
    config = TrainingConfig.load_json(layout.phase("train") / "config.json")
    assert (config.experiment_name, config.training.num_epochs) == ("squares", 1.0)


def test_a_finished_phase_says_so_at_once_without_torch(trained):
    layout, _ = trained
    before = digest_of_tree(layout.phase("train"))
    began = time.monotonic()
    code = (
        "import sys, runpy\ntry:\n    runpy.run_module('jobs.train', run_name='__main__')\n"
        "finally:\n    print('torch' in sys.modules, file=sys.stderr)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=training_environment(layout, **SETTINGS),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(out.stdout.splitlines()[-1])["event"] == "already done"
    assert out.stderr.strip() == "False"
    assert time.monotonic() - began < 10
    assert digest_of_tree(layout.phase("train")) == before


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        ({**SETTINGS, "TRAINING__LEARNING_RATE": 0.001}, 78, "SAM2VLM_REPLACE"),
        ({**SETTINGS, "TRAINING__LEARNING_RATE": -1}, 78, "SAM2VLM_TRAINING__LEARNING_RATE"),
        ({**SETTINGS, "MODEL": "tiny-lava"}, 78, "tiny-llava"),
        ({**SETTINGS, "MODEL_FOLDER": "/nowhere"}, 78, "no such model folder"),
        ({**SETTINGS, "REPORT_TO": '["mlflow"]'}, 78, "report_to"),
        ({**SETTINGS, "REPORT_TO": '["neptune"]'}, 78, "SAM2VLM_REPORT_TO"),
    ],
)
def test_wrong_settings_end_at_once_in_one_sentence(trained, settings, code, told):
    layout, _ = trained
    before = digest_of_tree(layout.phase("train"))
    found, events = train(layout, **settings)
    assert found == code
    assert told in events[-1]["error"]
    assert digest_of_tree(layout.phase("train")) == before


def test_without_a_prepared_dataset_it_is_bad_data(tmp_path):
    from sam2vlm.artifacts import RunLayout

    code, events = train(RunLayout(tmp_path / "run"))
    assert code == 65
    assert "prepare" in events[-1]["error"]


def test_a_changed_dataset_is_refused_by_name(tmp_path):
    layout = prepared_run(tmp_path / "run", train=2, val=1)
    (table,) = (layout.dataset / "train").glob("*.arrow")
    data = bytearray(table.read_bytes())
    data[500] ^= 1
    table.write_bytes(data)
    code, events = train(layout)
    assert code == 65
    assert table.name in events[-1]["error"]
