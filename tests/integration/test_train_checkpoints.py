"""What checkpoints promise beside kills: no code from outside, a full volume, DeepSpeed's own tools, lost ranks."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

from sam2vlm.artifacts.digests import digest_of_file
from sam2vlm.checkpoints import CheckpointManifest
from tests.training_runs import prepared_run, train, training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SETTINGS = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 2,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 2,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "LORA__DROPOUT": 0.1,
    "DEVICES__ZERO_STAGE": 2,
    "REQUIRE_LEARNING": "false",
}
TWO_RANKS = {**SETTINGS, "DEVICES__PROCESSES_PER_NODE": 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=12, val=2)


@pytest.fixture
def fresh(prepared, tmp_path):
    def copy(root=tmp_path / "run"):
        shutil.copytree(prepared.root, root)
        return type(prepared)(root)

    return copy


def last_error(layout):
    lines = (layout.logs / "train-0.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if '"failed"' in line][-1]["error"]


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def sealed_again(folder, name):
    """Give a changed file the digest and size that the manifest names, as whoever changes it on purpose would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": digest_of_file(folder / name), "size": (folder / name).stat().st_size}
    unsealed = CheckpointManifest.model_validate(manifest)
    sealed = unsealed.model_copy(update={"seal": unsealed.seal_of()})
    (folder / "manifest.json").write_text(sealed.model_dump_json())


@pytest.fixture(scope="module")
def half_done(prepared, server, tmp_path_factory):
    """A run that was killed behind its second checkpoint."""
    layout = type(prepared)(tmp_path_factory.mktemp("half") / "run")
    shutil.copytree(prepared.root, layout.root)
    reached = (layout.checkpoints / "step-000004").exists
    assert server.attempt(training_environment(layout, **SETTINGS), until=reached) == -signal.SIGKILL
    return layout


@pytest.mark.parametrize("states", ["*_optim_states.pt", "*_model_states.pt", "rng_state.pth", "scheduler.pt"])
def test_a_payload_under_a_fitting_digest_is_refused_by_name_and_not_run(half_done, server, tmp_path, states):
    layout = type(half_done)(tmp_path / "run")
    shutil.copytree(half_done.root, layout.root)
    newest = layout.checkpoints / "step-000004"
    (path,) = newest.rglob(states)
    mark = tmp_path / "mark"
    torch.save({**torch.load(path, weights_only=False), "more": Payload(mark)}, path)
    sealed_again(newest, path.relative_to(newest).as_posix())
    code = server.attempt(training_environment(layout, **SETTINGS))
    assert not mark.exists()
    assert code == 65
    assert "step-000004: holds something else than numbers" in last_error(layout)
    assert not (layout.checkpoints / "step-000006").exists()


def test_deepspeeds_own_tool_finds_the_adapter_in_a_checkpoint_of_two_ranks(fresh):
    # Also what its command zero_to_fp32.py calls.
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    layout = fresh()
    code, events = train(layout, **TWO_RANKS)
    assert code == 0, events[-1]
    folders = sorted(layout.checkpoints.glob("step-*"))
    assert len(folders) >= 2
    for folder in folders:
        found = get_fp32_state_dict_from_zero_checkpoint(str(folder), exclude_frozen_parameters=True)
        adapter = load_file(folder / "adapter_model.safetensors")
        assert {name.replace(".default", ""): tuple(value.shape) for name, value in found.items()} == {
            name: tuple(value.shape) for name, value in adapter.items()
        }
        for name, value in found.items():
            assert torch.equal(value, adapter[name.replace(".default", "")]), name
