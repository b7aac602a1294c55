from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam2vlm.errors import SettingsError
from sam2vlm.trainers.deepspeed import build_deepspeed_config

GOLDEN = Path(__file__).parent / "golden"
BASE = {
    "micro_batch": 16,
    "accumulation": 1,
    "world_size": 1,
    "zero_stage": 0,
    "precision": "fp32",
    "max_grad_norm": 1.0,
    "trainable": 195_584,
}
CASES = {
    "cpu_one_rank": {},
    "cpu_two_ranks_zero2": {"micro_batch": 8, "world_size": 2, "zero_stage": 2},
    "gpu_zero1_bf16": {
        "micro_batch": 4,
        "accumulation": 8,
        "world_size": 8,
        "zero_stage": 1,
        "precision": "bf16",
        "max_grad_norm": 0.3,
        "trainable": 500_000_000,
    },
    "gpu_zero2_offload_fp16": {
        "micro_batch": 2,
        "world_size": 4,
        "zero_stage": 2,
        "precision": "fp16",
        "offload_optimizer": True,
        "pin_memory": True,
    },
    "gpu_zero3_offload_bf16": {
        "micro_batch": 1,
        "accumulation": 4,
        "world_size": 8,
        "zero_stage": 3,
        "precision": "bf16",
        "offload_optimizer": True,
        "offload_parameters": True,
        "pin_memory": True,
    },
    "cpu_zero1_offload": {"world_size": 2, "zero_stage": 1, "offload_optimizer": True},
}


@pytest.mark.parametrize("name", CASES)
def test_the_configuration_is_the_golden_file_s(name):
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert build_deepspeed_config(**{**BASE, **CASES[name]}) == golden


@pytest.mark.parametrize(("field", "value"), [("zero_stage", 4), ("zero_stage", -1), ("precision", "fp8")])
def test_what_is_not_there_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        build_deepspeed_config(**{**BASE, field: value})


def test_nothing_is_offloaded_that_is_not_sharded():
    for part, stage in (("offload_optimizer", 0), ("offload_parameters", 2)):
        with pytest.raises(SettingsError, match=rf"zero_stage: .*found {stage}"):
            build_deepspeed_config(**{**BASE, "zero_stage": stage, part: True})


def test_deepspeed_starts_without_a_word_or_a_compiler_and_takes_every_golden_file(tmp_path):
    """The shared-memory operator would be compiled for 46 s when the process group starts."""
    (tmp_path / "mlflow.py").write_text('print("MLflow is loaded")')
    code = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
os.environ["PATH"] = "/nowhere"
from sam2vlm.trainers.deepspeed import prepare_deepspeed
built = prepare_deepspeed()
import deepspeed
from deepspeed.comm.torch import build_shm_op
from deepspeed.git_version_info import installed_ops
from deepspeed.runtime.config import DeepSpeedConfig
assert built == bool(installed_ops["deepspeed_shm_comm"])
assert deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] == built
assert built or build_shm_op() is None
from deepspeed.runtime import config as module
for path in sys.argv[1:]:
    values = json.load(open(path))
    per_rank = values["train_micro_batch_size_per_gpu"] * values["gradient_accumulation_steps"]
    module.dist.get_rank = lambda: 0
    module.dist.get_world_size = lambda: values["train_batch_size"] // per_rank
    config = DeepSpeedConfig(values)
    print(config.zero_optimization_stage, config.train_batch_size, config.gradient_clipping)
import mlflow
"""
    paths = [str(GOLDEN / f"{name}.json") for name in CASES]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    out = subprocess.run(
        [sys.executable, "-c", code, *paths], env=environment, capture_output=True, text=True, check=False
    )
    assert (out.returncode, out.stdout.splitlines()) == (
        0,
        ["0 16 1.0", "2 16 1.0", "1 256 0.3", "2 8 1.0", "3 32 1.0", "1 32 1.0", "MLflow is loaded"],
    ), out.stderr
