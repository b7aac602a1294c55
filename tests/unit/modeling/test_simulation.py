"""The simulated step: storages counted by hand, and against what a real step allocates."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from sam2vlm.config import ModelRegistry
from sam2vlm.config.workload import Workload
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.freezing import learn_parts
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.simulation import StorageLedger, simulate
from sam2vlm.modeling.simulation.architecture import build_model
from sam2vlm.modeling.simulation.kernels import fused_attention
from tests.allocated import peak_of_a_real_step

# PEFT asks Transformers by names that it has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")

TINY = ModelRegistry.get("tiny-llava")
CPU = Workload(
    model="tiny-llava", precision="fp32", device="cpu", tokens=256, batch_size=2, rank=8, padded=False,
    gradient_checkpointing=False,
)  # fmt: skip


def test_a_storage_counts_once_and_until_it_is_freed():
    with StorageLedger() as ledger:
        values = torch.empty(10, 10, device="meta")
        view = values.T[2:]
        assert sum(ledger.now.values()) == 400
        del values
        assert sum(ledger.now.values()) == 400  # the view holds it
        del view
        assert sum(ledger.now.values()) == 0
    assert ledger.peak["activations"] == 400


def test_parts_shares_and_operations():
    with StorageLedger(vocabulary=50, shares={"optimizer": 0.25}) as ledger:
        weight = torch.empty(50, 10, device="meta")
        ledger.hold(weight, "optimizer")  # 50 x 10 x 4 bytes, a quarter of it here
        logits = torch.empty(3, 10, device="meta") @ weight.T
        assert ledger.now["optimizer"] == 500
        assert ledger.now["logits"] == 3 * 50 * 4
        del logits
        assert ledger.now["logits"] == 0
    assert ledger.flops == 2 * 3 * 10 * 50


def test_autograds_own_storages_are_followed():
    with StorageLedger() as ledger:
        weight = nn.Parameter(torch.empty(8, 8, device="meta"))
        ledger.hold(weight, "weights")
        loss = (torch.empty(4, 8, device="meta") @ weight).relu().sum()
        # The input for the weight's gradient, relu's result, and the sum; the product itself is gone.
        assert ledger.now["activations"] == 2 * 4 * 8 * 4 + 4
        loss.backward()
        del loss
        assert ledger.now["activations"] == 8 * 8 * 4  # the gradient


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_fused_attention_keeps_no_scores(device):
    from transformers import AttentionInterface

    attend = AttentionInterface._global_mapping[fused_attention(device)]
    held = []
    for tokens in (512, 1024):
        with StorageLedger() as ledger:
            query, key, value = (
                torch.empty(1, 4, tokens, 32, device="meta", dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
            )
            module = nn.Module()
            module.is_causal = True
            output, _ = attend(module, query, key, value, None)
            output.sum().backward()
        held.append(sum(ledger.peak.values()))
    assert held[1] == pytest.approx(2 * held[0], rel=0.01)


CASES = {
    "checkpointed": replace(CPU, gradient_checkpointing=True),
    "padded": replace(CPU, padded=True),
    "full": replace(CPU, method="full"),
    "full, a frozen tower": replace(CPU, method="full", learning=("language_model", "projector")),
    "full, the projector alone": replace(CPU, method="full", learning=("projector",)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_within_three_percent_of_what_a_real_step_allocates(tiny_model, case):
    workload = CASES[case]
    if workload.gradient_checkpointing:
        tiny_model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model = tiny_model
    if workload.adapted:
        model = add_lora(
            tiny_model, target=TINY.lora_target, rank=8, alpha=16, dropout=workload.dropout, base_model="tiny-llava"
        )
    elif workload.learning:
        learn_parts(tiny_model, workload.learning)
    ids = torch.ones(workload.batch_size, workload.tokens, dtype=torch.long)
    ids[:, : TINY.image_tokens] = TINY.image_token_id
    mask = torch.ones_like(ids)
    if workload.padded:
        mask[:, -8:] = 0
    kept = workload.tokens - TINY.image_tokens
    batch = {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": ids[:, -kept:].clone(),
        "logits_to_keep": kept,
        "pixel_values": torch.zeros(workload.batch_size, 3, 128, 128),
    }
    allocated = peak_of_a_real_step(model.train(), batch)
    assert simulate(workload).total == pytest.approx(allocated, rel=0.03)


@pytest.mark.parametrize("name", ["tiny-llava", "liuhaotian/llava-v1.5-7b", "liuhaotian/llava-v1.5-13b"])
def test_the_built_model_has_the_registrys_size(name):
    model = build_model(Workload(model=name, method="full"))
    assert all(weight.is_meta for weight in model.parameters())
    assert sum(weight.numel() for weight in model.parameters()) == ModelRegistry.get(name).parameters
    assert type(model).__name__ == "LlavaForConditionalGeneration"


def test_four_bits_are_counted_for_the_language_models_projections_alone():
    plain, packed = simulate(replace(CPU, precision="bf16")), simulate(replace(CPU, precision="bf16", method="qlora"))
    # In each of 4 layers four projections of 160 x 160 and three of 160 x 432.
    projections = 4 * (4 * 160 * 160 + 3 * 160 * 432)
    assert plain.weights - packed.weights == pytest.approx(projections * (2 - 4.127 / 8), abs=30)
    assert packed.parameters == plain.parameters == TINY.parameters
    assert packed.trained == plain.trained


def test_the_adapter_its_gradients_and_its_optimizer_are_what_the_papers_count():
    step = simulate(replace(CPU, precision="bf16", device="cuda", accumulation=4, tokens=512))
    assert step.adapter == 2 * step.trained
    assert step.gradients == 2 * step.trained
    assert step.optimizer >= 12 * step.trained  # the master copy, momentum and variance in float32


def test_gradients_and_optimizer_are_those_of_the_parts_that_learn():
    work = replace(CPU, precision="bf16", device="cuda", method="full", accumulation=2)
    every = simulate(work)
    parts = {part: simulate(replace(work, learning=(part,))) for part in ("language_model", "projector")}
    # Two layers with biases, 128 to 160 and 160 to 160.
    assert parts["projector"].trained == 128 * 160 + 160 + 160 * 160 + 160
    for step in (every, *parts.values()):
        assert step.parameters == every.parameters
        assert step.weights == every.weights
        assert step.gradients == 2 * step.trained
        assert step.optimizer >= 12 * step.trained


def test_sharding_and_offloading_make_it_smaller():
    work = replace(CPU, precision="bf16", device="cuda", method="full", accumulation=2)
    alone = simulate(work)
    second = simulate(replace(work, processes=4, zero_stage=2))
    third = simulate(replace(work, processes=4, zero_stage=3))
    offloaded = simulate(replace(work, processes=4, zero_stage=2, offload_optimizer=True))
    assert second.weights == alone.weights
    assert third.weights == pytest.approx(alone.weights / 4, abs=2)
    assert offloaded.optimizer == offloaded.gradients == 0
    assert second.activations == pytest.approx(alone.activations, rel=0.5)


def test_checkpointing_costs_operations_and_saves_memory():
    kept, again = simulate(CPU), simulate(replace(CPU, gradient_checkpointing=True))
    assert again.activations < kept.activations / 2
    assert kept.flops < again.flops < 1.6 * kept.flops


def test_another_family_is_refused():
    with pytest.raises(SettingsError, match=r"cannot be simulated .*`sam2vlm models`"):
        simulate(replace(CPU, model="Salesforce/instructblip-vicuna-7b"))


def test_a_packed_row_has_as_many_pictures_as_fit_and_a_mask():
    single = replace(CPU, batch_size=1, tokens=512, padded=False)
    rows = replace(single, packed=True, padded=True)
    # 64 tokens of a picture and at least as many of text.
    assert (single.samples, rows.samples) == (1, 4)
    assert simulate(rows).activations > simulate(single).activations
    # Three pictures more through the tower, the same tokens through the language model.
    assert simulate(rows).flops > simulate(single).flops
