"""All four phases as a user runs them: `sam2vlm run`, on a small sample, with the model of the demo."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pytest

from sam2vlm.artifacts import PHASES, RunLayout, files_below, read_manifest, verify_outputs
from sam2vlm.sample import write_sample

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

# Short, but every step of every phase is really taken.
SETTINGS = {
    "SAM2VLM_PRESET": "demo",
    "SAM2VLM_TRAINING__NUM_EPOCHS": "2",
    "SAM2VLM_CHECKPOINTS__SAVE_EVERY_STEPS": "3",
    "SAM2VLM_TRACKING__LOGGING_EVERY_STEPS": "1",
}
COMMAND = str(Path(sys.executable).with_name("sam2vlm"))
FIGURES = {"mAP50", "mAP50_95", "mean_iou", "count_accuracy", "label_accuracy"}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "sample.zip"
    write_sample(path, frames=72, objects=6, width=320, height=180, seed=3)
    return path


def environment(run, export, *, hash_seed="0"):
    """Return the environment of a local run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    return inherited | SETTINGS | {"SAM2VLM_RUN": str(run), "SAM2VLM_EXPORT": str(export), "PYTHONHASHSEED": hash_seed}


def run_all(run, export, **more):
    """Run the four phases to their end."""
    return subprocess.run(
        [COMMAND, "run"],
        env=environment(run, export, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def contents(run):
    """Every file that counts: all of the four phases, logs and locks aside."""
    return {
        f"{phase}/{name}": (run / phase / name).read_bytes() for phase in PHASES for name in files_below(run / phase)
    }


def assert_same(one, other):
    """Name the files that differ instead of printing them."""
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


@pytest.fixture(scope="module")
def finished(export, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "one"
    ended = run_all(run, export)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    return run, ended


def test_the_names_that_people_rely_on(finished):
    run, _ = finished
    layout = RunLayout(run)
    for phase in PHASES:
        verify_outputs(layout.phase(phase), read_manifest(layout.manifest(phase)))
    dataset = datasets.load_from_disk(run / "prepare" / "dataset")
    assert set(dataset) == {"train", "val", "test"}
    for split in dataset:
        lines = (run / "prepare" / "llava" / f"{split}.jsonl").read_text().splitlines()
        assert len(lines) >= len(dataset[split])
    assert (run / "prepare" / "report.md").read_text().startswith("#")
    metrics = json.loads((run / "evaluate" / "metrics.json").read_text())
    for model in ("base", "tuned"):
        assert set(metrics[model]) >= FIGURES
    assert (run / "evaluate" / "report.md").is_file()
    assert (run / "export" / "adapter" / "adapter_model.safetensors").is_file()
    assert (run / "export" / "merged" / "model.safetensors").is_file()


def test_each_phase_read_exactly_what_the_one_before_wrote(finished):
    run, _ = finished
    manifests = {phase: read_manifest(RunLayout(run).manifest(phase)) for phase in PHASES}
    frames = manifests["prepare"].counts
    assert frames.seen == 72
    splits = datasets.load_from_disk(run / "prepare" / "dataset")
    assert frames.kept == sum(len(split) for split in splits.values())


def test_nothing_of_this_machine_is_in_what_was_written(finished, export):
    run, _ = finished
    places = [str(run.parent), str(export.parent)]
    if len(host := os.uname().nodename) >= 8:  # a shorter name stands in a model's weights by chance
        places.append(host)
    for name, data in contents(run).items():
        for place in places:
            assert place.encode() not in data, f"{place} stands in {name}"


def test_off_a_terminal_every_phase_speaks_in_json_lines(finished):
    run, _ = finished
    for phase in PHASES:
        lines = (run / "logs" / f"{phase}-0.jsonl").read_text().splitlines()
        assert {json.loads(line)["phase"] for line in lines} == {phase}


def test_a_second_start_does_nothing_and_says_so(finished, export):
    run, _ = finished
    before = {name: (run / name).stat().st_mtime_ns for name in files_below(run) if not name.startswith("logs/")}
    ended = run_all(run, export)
    assert ended.returncode == 0
    assert ended.stdout.count("already done") >= len(PHASES)
    after = {name: (run / name).stat().st_mtime_ns for name in files_below(run) if not name.startswith("logs/")}
    assert {name for name in after if name in before and after[name] != before[name]} <= {
        f".{phase}.lock" for phase in PHASES
    }


def test_another_run_has_the_same_bytes(finished, export, tmp_path):
    run, _ = finished
    ended = run_all(tmp_path / "two", export, hash_seed="1234")
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert_same(contents(run), contents(tmp_path / "two"))


def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes(finished, export, tmp_path):
    run, _ = finished
    moments = random.Random(11)
    for _ in range(6):
        process = subprocess.Popen(
            [COMMAND, "run"],
            env=environment(tmp_path / "killed", export),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(3, 20))
        # The whole group, as when a machine goes down.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    ended = run_all(tmp_path / "killed", export)
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert_same(contents(run), contents(tmp_path / "killed"))
