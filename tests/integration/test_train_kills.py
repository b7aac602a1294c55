"""Training that is killed again and again, at random steps and at random moments inside a save, loses nothing.

Every kill is a SIGKILL of a process that runs the train phase; the next attempt goes on where it can. What the last
attempt leaves is compared byte for byte with a run under torchrun that nobody disturbed: every step's loss, the
published adapter or model, the manifest, and every file of the last checkpoint (optimizer, scheduler, random state,
position).

``TRAIN_KILLS`` sets how many kills (default 50), ``TRAIN_KILL_SEED`` repeats a run; the seed is printed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections import Counter

import numpy as np
import pytest

from sam2vlm.artifacts import files_below
from sam2vlm.artifacts.digests import digest_of_file
from sam2vlm.tracking import read_metrics
from tests.forked_training import KILL_AT
from tests.training_runs import prepared_run, train, training_environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are held by their descriptors, which Linux has"),
]

KILLS = int(os.environ.get("TRAIN_KILLS", "50"))
SEED = int(os.environ.get("TRAIN_KILL_SEED", secrets.randbits(32)))
STEPS, EVERY = 20, 2
SETTINGS = {
    "TRAINING__BATCH_SIZE": 2,
    "TRAINING__NUM_EPOCHS": 5,
    "CHECKPOINTS__SAVE_EVERY_STEPS": EVERY,
    "TRACKING__LOGGING_EVERY_STEPS": 1,
    "REQUIRE_LEARNING": "false",
}
ADAPTER = {**SETTINGS, "LORA__DROPOUT": 0.1}
SHARDS = {"DEVICES__ZERO_STAGE": 2, "DEVICES__PRECISION": "bf16"}
VARIANTS = {
    "fp32": {**ADAPTER, "DEVICES__ZERO_STAGE": 0},
    "bf16 in shards": {**ADAPTER, **SHARDS},
    "whole weights in bf16 shards": {
        **SETTINGS,
        **SHARDS,
        "TRAINING__METHOD": "full",
        "TRAINING__LEARNING_RATE": 1e-3,
        "TRAINING__NEFTUNE_NOISE_ALPHA": 5,
    },
}


def outputs(layout):
    """Every byte that the phase promises, and every byte of the last checkpoint."""
    folder = layout.phase("train")
    last = f"checkpoints/step-{STEPS:06d}/"
    names = [name for name in files_below(folder) if name.startswith(last) or not name.startswith("checkpoints/")]
    return {name: digest_of_file(folder / name) for name in names}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared") / "run", train=8, val=2)


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    found = {}
    for name, settings in VARIANTS.items():
        layout = copy_of(prepared, tmp_path_factory.mktemp("undisturbed") / "run")
        code, events = train(layout, **settings)
        assert code == 0, events[-1]
        assert [line["step"] for line in losses(layout)] == list(range(1, STEPS + 1))
        found[name] = outputs(layout)
    return found


def copy_of(layout, root):
    shutil.copytree(layout.root, root)
    return type(layout)(root)


def losses(layout):
    return [line for line in read_metrics(layout.phase("train") / "metrics.jsonl") if "loss" in line]


def newest(layout):
    return max((int(path.name.removeprefix("step-")) for path in layout.checkpoints.glob("step-*")), default=0)


def in_a_step(layout, rng):
    target = newest(layout) + int(rng.integers(1, 4))
    metrics = layout.phase("train") / "metrics.jsonl"
    return lambda: metrics.exists() and any(line["step"] >= target for line in read_metrics(metrics)), 0.15


def in_a_save(layout, rng):
    target = newest(layout) + EVERY * int(rng.integers(1, 3))
    staged = layout.checkpoints / f".step-{target:06d}.partial"
    return staged.exists, 0.3


def at_the_start(layout, rng):
    return lambda: True, 2.0


def at_the_end(layout, rng):
    return lambda: newest(layout) == STEPS, 1.5


def killed(server, layout, settings, rng):
    """One attempt with a kill at a moment of its own; return how it ended and what the moment was."""
    environment = training_environment(layout, **settings)
    if newest(layout) == STEPS and rng.random() < 0.5:
        # Nothing but the result is missing; kills that always came before it would never let a run end.
        return server.attempt(environment), "none"
    moments = [in_a_step, in_a_save, in_a_save, "a change of a file", "a change of a file", at_the_start]
    moment = at_the_end if newest(layout) == STEPS else moments[int(rng.integers(len(moments)))]
    if moment == "a change of a file":
        return server.attempt({**environment, KILL_AT: str(rng.integers(1, 120))}), moment
    until, longest = moment(layout, rng)
    return server.attempt(environment, until=until, delay=rng.uniform(0, longest)), moment.__name__


def half_saved(layout):
    return any(layout.checkpoints.glob(".step-*"))


def test_any_number_of_kills_changes_no_byte(prepared, undisturbed, server, tmp_path):
    print(f"TRAIN_KILL_SEED={SEED}")  # noqa: T201  pytest shows it where the test fails
    rng = np.random.default_rng(SEED)
    counts, runs = Counter(), 0
    while counts["kills"] < KILLS:
        variant = list(VARIANTS)[runs % len(VARIANTS)]
        layout = copy_of(prepared, tmp_path / str(runs))
        code = -9
        while code == -9 and counts["kills"] < KILLS:
            code, moment = killed(server, layout, VARIANTS[variant], rng)
            if code == -9:
                counts.update({"kills": 1, moment: 1, "inside a save": half_saved(layout)})
        if code == -9:
            code = server.attempt(training_environment(layout, **VARIANTS[variant]))
        assert code == 0, (SEED, (layout.logs / "train-0.jsonl").read_text()[-2000:])
        assert outputs(layout) == undisturbed[variant], SEED
        runs += 1
    print(f"{runs} runs: {dict(counts)}")  # noqa: T201
    assert counts["kills"] == KILLS
    assert counts["inside a save"] >= KILLS // 5, SEED
