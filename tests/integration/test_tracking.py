"""Pictures and trackers of real trainings, read back by TensorBoard, MLflow and W&B themselves; they change nothing."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sam2vlm.artifacts import digest_of_tree
from sam2vlm.tracking import open_trackers, read_metrics
from tests.training_runs import prepared_run, start_training, train
from tests.wandb_files import history, records

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

KEY = "0123456789abcdef0123456789abcdef01234567"
#: Dropout draws at random, so a generator that the asking had touched would show in the weights.
COMMON = {"TRAINING__NUM_EPOCHS": 2, "LORA__DROPOUT": 0.1, "REQUIRE_LEARNING": "false"}
PICTURES = {"TRACKING__PREDICTION_FRAMES": 2, "TRACKING__PREDICTION_TOKENS": 24}
STEPS = {5, 10}
TWO_RANKS = {"TRAINING__BATCH_SIZE": 2, "DEVICES__PROCESSES_PER_NODE": 2, "DEVICES__ZERO_STAGE": 3}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=20, val=4)


def trained(layout, **settings):
    code, events = train(layout, **settings)
    assert code == 0, events[-1]
    return events


def events_of(layout):
    board = EventAccumulator(str(layout.logs / "tensorboard"), size_guidance={"images": 0, "tensors": 0})
    board.Reload()
    return board


def need(*packages):
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'sam2vlm[{package}]'")


def test_pictures_change_no_byte_and_tensorboard_has_them(fresh):
    without, layout = fresh("without"), fresh("with")
    trained(without, **COMMON)
    events = trained(layout, **COMMON, **PICTURES)
    assert digest_of_tree(layout.adapter) == digest_of_tree(without.adapter)
    metrics = [folder.phase("train") / "metrics.jsonl" for folder in (layout, without)]
    assert metrics[0].read_bytes() == metrics[1].read_bytes()

    shown = [event for event in events if event["event"] == "predictions_shown"]
    assert [(event["step"], event["frames"]) for event in shown] == [(5, 2), (10, 2)]
    assert all(event["seconds"] > 0 for event in shown)
    board = events_of(layout)
    tags = board.Tags()["images"]
    assert len(tags) == 2
    assert all(tag.startswith("predictions/video/001") for tag in tags)
    for tag in tags:
        assert [item.step for item in board.Images(tag)] == [5, 10]
        texts = [item.tensor_proto.string_val[0].decode() for item in board.Tensors(f"{tag}/text_summary")]
        assert all("Detect every object" in text and "truth" in text and "answer" in text for text in texts)
    figures = read_metrics(layout.logs / "predictions.jsonl")
    assert [line["step"] for line in figures] == [5, 10]
    scalars = [item.value for item in board.Scalars("predictions/count_accuracy")]
    assert scalars == [line["predictions_count_accuracy"] for line in figures]
    assert {path.name for path in (layout.logs / "plots").iterdir()} >= {"predictions.png", "predictions.svg"}


def test_sharded_weights_are_asked_by_all_ranks_and_stay_as_they_are(fresh):
    without, layout = fresh("without"), fresh("with")
    trained(without, **COMMON, **TWO_RANKS)
    trained(layout, **COMMON, **TWO_RANKS, **PICTURES, TRACKING__PREDICT_AT="evaluation")
    assert digest_of_tree(layout.adapter) == digest_of_tree(without.adapter)
    board = events_of(layout)
    steps = {tag: [item.step for item in board.Images(tag)] for tag in board.Tags()["images"]}
    assert list(steps.values()) == [[0, 4, 8, 10]] * 2


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Both services, into folders."""
    need("mlflow", "wandb")
    address = f"file:{tmp_path / 'mlflow'}"
    for name, value in {"MLFLOW_TRACKING_URI": address, "WANDB_MODE": "offline", "WANDB_API_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "true")
    return address


def test_a_killed_training_goes_on_in_the_same_runs_and_ends_with_the_same_bytes(fresh, services):
    from mlflow.tracking import MlflowClient

    settings = {**COMMON, **PICTURES, "REPORT_TO": '["mlflow", "wandb"]', "EXPERIMENT": "reef"}
    unbroken, layout = fresh("unbroken"), fresh("broken")
    trained(unbroken, **{**settings, "REPORT_TO": "[]"})
    process = start_training(layout, **settings)
    deadline = time.monotonic() + 300
    while not (layout.checkpoints / "step-000004" / "manifest.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    events = trained(layout, **settings)
    (told,) = [event for event in events if event["event"] == "tracking"]
    assert told["continued"] == ["mlflow", "wandb"]
    assert layout.manifest("train").read_bytes() == unbroken.manifest("train").read_bytes()

    client = MlflowClient(services)
    experiment = client.get_experiment_by_name("reef")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_id, run.info.status) == (told["mlflow"], "FINISHED")
    _has_what_the_run_wrote(client, run, layout)

    files = sorted((layout.logs / "wandb").glob(f"offline-run-*-{told['wandb']}/run-{told['wandb']}.wandb"))
    assert len(files) == 2
    assert {path.parent.name for path in (layout.logs / "wandb").glob("offline-run-*/run-*.wandb")} == {
        path.parent.name for path in files
    }
    _is_in_the_history(files, layout)
    hidden = [path for path in layout.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert hidden == []


def _has_what_the_run_wrote(client, run, layout):
    lines = read_metrics(layout.phase("train") / "metrics.jsonl")
    for tag, name in (("train/loss", "loss"), ("train/grad_norm", "grad_norm"), ("val/loss", "eval_loss")):
        stored = {item.step: item.value for item in client.get_metric_history(run.info.run_id, tag)}
        assert stored == {line["step"]: line[name] for line in lines if name in line}
    assert {"train/tokens_per_second", "train/peak_memory_gib", "predictions/mAP50"} <= set(run.data.metrics)
    assert run.data.params["training.lora.dropout"] == "0.1"
    assert run.data.params["seed"] == "42"
    assert run.data.tags["sam2vlm.model_card"] == str(layout.root / "export" / "README.md")
    assert run.data.tags["sam2vlm.best_step"] == "10"
    kept = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert kept >= {"plots", "predictions", "config.json", "metrics.jsonl", "manifest.json"}
    plots = {item.path for item in client.list_artifacts(run.info.run_id, "plots")}
    assert plots >= {"plots/loss.png", "plots/loss.svg", "plots/machine"}
    frame = next(iter(events_of(layout).Tags()["images"]))
    pictures = {item.path: item for item in client.list_artifacts(run.info.run_id, frame)}
    assert {f"{frame}/step-000005.png", f"{frame}/step-000010.png", f"{frame}/step-000010.md"} <= set(pictures)
    stored = Image.open(client.download_artifacts(run.info.run_id, f"{frame}/step-000010.png"))
    drawn = Image.open(io.BytesIO(events_of(layout).Images(frame)[-1].encoded_image_string))
    assert np.array_equal(np.asarray(stored), np.asarray(drawn))


def _is_in_the_history(files, layout):
    lines = [line for path in files for line in history(path)]
    losses = {line["step"]: line["train/loss"] for line in lines if "train/loss" in line}
    wanted = read_metrics(layout.phase("train") / "metrics.jsonl")
    # A kill takes what W&B has not put on the disk, and the steps behind the checkpoint come again.
    assert {6, 8, 10} <= set(losses)
    assert losses.items() <= {line["step"]: line["loss"] for line in wanted if "loss" in line}.items()
    assert {line["step"] for line in lines if any(name.startswith("predictions/video") for name in line)} == STEPS
    configurations = [record.run.config for record in records(files[0]) if record.HasField("run")]
    values = {item.key: json.loads(item.value_json) for item in configurations[0].update}
    assert values["training"]["lora"]["dropout"] == 0.1
    (beside,) = {path.parent / "files" / "plots" / "loss.png" for path in files[-1:]}
    assert beside.read_bytes() == (layout.phase("train") / "plots" / "loss.png").read_bytes()


def test_a_service_that_cannot_be_reached_costs_one_warning(fresh, monkeypatch):
    need("mlflow")
    layout = fresh("run")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://reef:swordfish@127.0.0.1:9")
    events = trained(layout, **COMMON, REPORT_TO='["mlflow"]')
    (warning,) = [event for event in events if event["event"] == "tracker_failed"]
    assert (warning["tracker"], warning["doing"]) == ("mlflow", "opening the run")
    assert "swordfish" not in json.dumps(events)


def test_a_store_that_vanishes_on_the_way_costs_one_warning_too(services, tmp_path):
    options = {"experiment": "reef", "run_name": "run", "settings": {"training": {"lora": None}}}
    trackers = open_trackers(["mlflow"], folder=tmp_path, fingerprint="f", **options)
    trackers.write(step=1, loss=0.5)
    shutil.rmtree(tmp_path / "mlflow")
    with capture_logs() as events:
        trackers.write(step=2, loss=0.25)
        trackers.write(step=3, loss=0.125)
        trackers.finish(outcome="done")
    (event,) = events
    assert (event["event"], event["doing"]) == ("tracker_failed", "writing figures")
