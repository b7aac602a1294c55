"""A volume that is full or read-only while a checkpoint is saved: real file systems, small enough to fill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from sam2vlm.checkpoints import CheckpointManager
from tests.training_runs import prepared_run, training_environment

SETTINGS = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 2,
    "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "REQUIRE_LEARNING": "false",
}
MEGABYTE = 2**20


def may_mount():
    """Whether this user may mount a file system here; tried, because containers differ."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0


pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not may_mount(), reason="mounting a small volume needs root and CAP_SYS_ADMIN"),
]


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=8, val=2)


@pytest.fixture(scope="module")
def undisturbed(prepared, server, tmp_path_factory):
    layout = copy_of(prepared, tmp_path_factory.mktemp("undisturbed") / "run")
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    return layout.manifest("train").read_bytes()


@pytest.fixture
def volume(tmp_path):
    """A tmpfs; a checkpoint takes six megabytes."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={64 * MEGABYTE}", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "--recursive", str(folder)], check=True)


def copy_of(layout, root):
    shutil.copytree(layout.root, root)
    return type(layout)(root)


def fill(volume, *, leaving):
    with (volume / "filler").open("wb") as stream:
        free = os.statvfs(volume).f_bavail * os.statvfs(volume).f_frsize
        os.posix_fallocate(stream.fileno(), 0, free - leaving)


def once(condition, act):
    """Act when the condition holds for the first time, and let the attempt go on to its end."""
    done = []

    def look():
        if not done and condition():
            act()
            done.append(True)
        return False

    return look


def opened(layout, step):
    fingerprint = json.loads((layout.phase("train") / "started.json").read_text())["fingerprint"]
    return CheckpointManager(layout.checkpoints, fingerprint=fingerprint, world_size=1).open(step)


def last_error(layout):
    lines = (layout.logs / "train-0.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if '"failed"' in line][-1]["error"]


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before_it(prepared, undisturbed, server, volume):
    layout = copy_of(prepared, volume / "run")
    first = (layout.checkpoints / "step-000004").exists
    fills = once(first, lambda: fill(volume, leaving=2 * MEGABYTE))
    assert server.attempt(training_environment(layout, **SETTINGS), until=fills) == 75
    assert "space" in last_error(layout)
    assert [path.name for path in layout.checkpoints.iterdir()] == ["step-000004"]
    assert opened(layout, 4).manifest.step == 4
    (volume / "filler").unlink()
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    assert layout.manifest("train").read_bytes() == undisturbed


def test_a_volume_without_one_byte_left_is_told_by_the_exit_code(prepared, undisturbed, server, volume):
    layout = copy_of(prepared, volume / "run")
    first = (layout.checkpoints / "step-000004").exists
    fills = once(first, lambda: fill(volume, leaving=0))
    assert server.attempt(training_environment(layout, **SETTINGS), until=fills) == 75
    assert opened(layout, 4).manifest.step == 4
    (volume / "filler").unlink()
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    assert layout.manifest("train").read_bytes() == undisturbed


def test_a_volume_that_becomes_read_only_leaves_the_checkpoint_before(prepared, undisturbed, server, volume):
    layout = copy_of(prepared, volume / "run")
    layout.checkpoints.mkdir(parents=True)
    mount("--bind", layout.checkpoints, layout.checkpoints)
    first = (layout.checkpoints / "step-000004").exists
    freezes = once(first, lambda: mount("-o", "remount,bind,ro", layout.checkpoints))
    assert server.attempt(training_environment(layout, **SETTINGS), until=freezes) == 78
    assert "no permission" in last_error(layout)
    assert opened(layout, 4).manifest.step == 4
    mount("-o", "remount,bind,rw", layout.checkpoints)
    assert server.attempt(training_environment(layout, **SETTINGS)) == 0
    assert layout.manifest("train").read_bytes() == undisturbed
