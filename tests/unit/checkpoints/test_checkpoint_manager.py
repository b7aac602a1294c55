from __future__ import annotations

import json

import pytest
import torch
from structlog.testing import capture_logs

from sam2vlm.checkpoints import CheckpointManager
from sam2vlm.errors import DataError

REQUIRED = ("weights.safetensors", "rng_state_0.pth", "rng_state_1.pth")


@pytest.fixture
def manager(tmp_path):
    return CheckpointManager(tmp_path, fingerprint="f" * 64, world_size=2, keep_newest=2)


def write(manager, step, *, best=None, skip=(), torn=()):
    staged = manager.stage(step)
    staged.mkdir(parents=True)
    (staged / "weights.safetensors").write_bytes(bytes([step % 256]) * 100)
    for rank in (0, 1):
        torch.save({"step": step, "values": torch.ones(500)}, staged / f"rng_state_{rank}.pth")
    for name in skip:
        (staged / name).unlink()
    for name in torn:
        path = staged / name
        path.write_bytes(path.read_bytes()[:-700])
    facts = {"epoch": step / 10, "loss": 1.0, "metric": 0.5, "state": {"tracker": {}}}
    return manager.commit(step, required=REQUIRED, keep=best, **facts)


def names(manager):
    return sorted(path.name for path in manager.folder.iterdir())


def test_a_checkpoint_is_found_again_with_what_it_carries(manager):
    write(manager, 10)
    found = manager.newest()
    assert found.folder.name == "step-000010"
    assert (found.manifest.step, found.manifest.epoch, found.manifest.metric) == (10, 1.0, 0.5)
    assert set(found.manifest.files) == set(REQUIRED)


def test_no_checkpoint_is_none(manager):
    assert manager.newest() is None


def test_the_best_and_the_newest_are_kept(manager):
    for step in (10, 20, 30, 40, 50):
        write(manager, step, best=20)
    assert names(manager) == ["step-000020", "step-000040", "step-000050"]


def test_a_missing_file_of_a_rank_stops_the_commit(manager):
    with pytest.raises(DataError, match=r"rng_state_1\.pth.*missing"):
        write(manager, 10, skip=["rng_state_1.pth"])
    assert manager.newest() is None


def test_a_torn_file_of_a_rank_stops_the_commit(manager):
    with pytest.raises(DataError, match=r"rng_state_0\.pth.*cannot be read back"):
        write(manager, 10, torn=["rng_state_0.pth"])
    assert manager.newest() is None


def damage_no_manifest(folder):
    (folder / "manifest.json").unlink()


def damage_torn_manifest(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:50])


def damage_one_byte(folder):
    path = folder / "rng_state_0.pth"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_missing_file(folder):
    (folder / "weights.safetensors").unlink()


def damage_extra_file(folder):
    (folder / "pytorch_model.bin").write_bytes(b"a stranger's pickle")


def damage_other_run(folder):
    edit(folder, fingerprint="0" * 64)


def damage_other_world(folder):
    edit(folder, world_size=1)


def damage_renamed(folder):
    edit(folder, step=7)


def damage_edited_loss(folder):
    edit(folder, loss=0.5)


def damage_called_complete(folder):
    edit(folder, complete=True)


def damage_edited_state(folder):
    edit(folder, state={})


def damage_manifest_of_nothing(folder):
    (folder / "manifest.json").write_bytes(b"\xff" * 20)


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGES = [
    (damage_no_manifest, "interrupted"),
    (damage_torn_manifest, "not valid"),
    (damage_one_byte, "rng_state_0.pth"),
    (damage_missing_file, "weights.safetensors"),
    (damage_extra_file, "pytorch_model.bin"),
    (damage_other_run, "fingerprint"),
    (damage_other_world, "world_size"),
    (damage_renamed, "step"),
    (damage_edited_loss, "manifest.json: changed since it was written"),
    (damage_called_complete, "manifest.json: changed since it was written"),
    (damage_edited_state, "manifest.json: changed since it was written"),
    (damage_manifest_of_nothing, "not valid"),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_a_damaged_or_foreign_checkpoint_is_skipped_by_name(manager, damage, told):
    write(manager, 10)
    write(manager, 20)
    damage(manager.path(20))
    with capture_logs() as events:
        found = manager.newest()
    assert found.folder.name == "step-000010"
    (event,) = [event for event in events if event["event"] == "checkpoint_skipped"]
    assert event["folder"] == "step-000020"
    assert told in event["reason"]


def test_opening_a_damaged_one_says_which_file(manager):
    write(manager, 10)
    damage_one_byte(manager.path(10))
    with pytest.raises(DataError, match=r"step-000010: rng_state_0\.pth: changed since it was written"):
        manager.open(10)


def test_a_torn_one_that_a_resume_has_passed_goes_with_the_next_commit(manager):
    write(manager, 10)
    write(manager, 30)
    damage_no_manifest(manager.path(30))
    write(manager, 20)
    assert names(manager) == ["step-000010", "step-000020"]


def test_a_torn_folder_of_the_same_step_is_replaced(manager):
    write(manager, 10)
    damage_no_manifest(manager.path(10))
    write(manager, 10)
    assert manager.newest().manifest.step == 10


def test_leftovers_of_interrupted_writes_are_removed(manager):
    write(manager, 10)
    manager.stage(20).mkdir()
    (manager.folder / ".step-000005.pruned").mkdir()
    manager.clean()
    assert names(manager) == ["step-000010"]


def test_pickles_are_never_opened_while_looking_for_a_checkpoint(manager, monkeypatch):
    write(manager, 10)
    monkeypatch.setattr(torch, "load", lambda *_a, **_k: pytest.fail("unpickled"))
    assert manager.newest() is not None
