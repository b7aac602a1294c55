"""One rank's engine with its shortcuts against DeepSpeed's own: the same weights, without the walks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# Its own process: an engine starts a process group, and accelerate remembers the device for good.
CODE = """
import copy, json, sys
from pathlib import Path
from sam2vlm.trainers.deepspeed import build_deepspeed_config, measure_gradients, prepare_deepspeed
from sam2vlm.trainers.lean_engine import leave_out_walks
from sam2vlm.trainers.lora_trainer import training_arguments
prepare_deepspeed()
import deepspeed, torch

batch = {"micro_batch": 2, "accumulation": 2, "max_grad_norm": 0.5}
options = build_deepspeed_config(**batch, world_size=1, zero_stage=0, precision="fp32")
arguments = training_arguments(
    **batch, output=Path(sys.argv[1]), deepspeed=options, epochs=1, learning_rate=1e-2, warmup_ratio=0,
    weight_decay=0.1, scheduler="constant", precision="fp32", seed=0, workers=0,
)

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen, self.used, self.unused = (torch.nn.Linear(8, 8) for _ in range(3))
        self.frozen.requires_grad_(False)
        self.parts = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

    def forward(self, inputs):
        return self.parts(self.used(self.frozen(inputs))).square().mean()

walks, walk = [], torch.nn.Module.named_modules
def counted(self, memo=None, *others, **named):
    walks.extend([1] if memo is None else [])
    return walk(self, memo, *others, **named)

def trained(model, lean):
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2, weight_decay=0.1)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=copy.deepcopy(options))
    measure_gradients(engine)
    if lean:
        leave_out_walks(engine)
    torch.manual_seed(1)
    walks.clear()
    torch.nn.Module.named_modules = counted
    norms = []
    for step in range(8):
        # As an evaluation does it, or somebody who asks a part of the model alone and leaves it so.
        (model if step == 3 else model.parts if step == 5 else torch.nn.Identity()).eval()
        engine.train()
        engine.set_gradient_accumulation_boundary(step % 2 == 1)
        engine.backward(engine(torch.randn(2, 8)))
        engine.step()
        if step % 2:
            norms.append(engine.get_global_grad_norm())
            engine.zero_grad()
    torch.nn.Module.named_modules = walk
    return {name: weight.tolist() for name, weight in model.state_dict().items()}, norms, len(walks)

torch.manual_seed(0)
model = Model()
sent = torch.zeros(8)
results = {
    "before": {name: weight.tolist() for name, weight in model.state_dict().items()},
    "own": trained(copy.deepcopy(model), False),
    "lean": trained(model, True),
    "copied": sent.to(arguments.device).data_ptr() != sent.data_ptr(),
}
Path(sys.argv[1]).joinpath("results.json").write_text(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    command = [sys.executable, "-c", CODE, str(folder)]
    done = subprocess.run(command, env=os.environ | ranks, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "results.json").read_text())


def test_weights_and_norms_are_the_same_bit_for_bit(results):
    (own, own_norms, _), (lean, lean_norms, _) = results["own"], results["lean"]
    assert (lean, lean_norms) == (own, own_norms)
    assert all(norm > 0 for norm in own_norms)


def test_what_is_trained_moves_also_where_it_was_not_used(results):
    before, after = results["before"], results["lean"][0]
    still = {name for name in before if after[name] == before[name]}
    assert still == {"frozen.weight", "frozen.bias"}


def test_no_step_walks_over_all_modules(results):
    assert results["own"][2] > 0
    assert results["lean"][2] == 0


def test_a_batch_on_the_cpu_is_not_copied_to_where_it_is(results):
    assert not results["copied"]
