"""A base in four bits: the language model's layers only, as they were quantized, with an adapter that reloads."""

from __future__ import annotations

import sys

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.adapter import load_adapter
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.lora import add_lora
from sam2vlm.trainers.lora_trainer import save_adapter
from tests.wide_llava import wide_llava

# Dettmers et al. 2023, appendix E: the sixteen values of NF4.
NF4 = [-1.0, -0.6961928, -0.5250731, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0]
NF4 += [0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return wide_llava(tmp_path_factory.mktemp("wide"))


@pytest.fixture
def whole(source):
    return load_model(source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)


@pytest.fixture
def quantized(source):
    def load(dtype=torch.float32):
        return load_model(source, class_name="LlavaForConditionalGeneration", dtype=dtype, four_bits=True)

    return load


def logits(model):
    ids = torch.tensor([[model.config.image_token_id] * 64 + [5, 6, 7]])
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)).to(model.dtype)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits


def in_four_bits(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}


def test_the_language_model_s_projections_are_quantized_and_nothing_else_is(quantized, whole):
    model = quantized()
    layers = in_four_bits(model)
    assert len(layers) == 4 * 7
    assert all(name.startswith("model.language_model.layers.") for name in layers)
    before = dict(whole.named_parameters())
    for name, weight in model.named_parameters():
        if name.removesuffix(".weight") not in layers:
            assert torch.equal(weight, before[name]), name


def test_every_weight_is_the_nearest_of_nf4_s_sixteen_values_times_its_block_s_scale(quantized, whole):
    for name, layer in in_four_bits(quantized()).items():
        state = layer.weight.quant_state
        torch.testing.assert_close(state.code, torch.tensor(NF4))
        found = dequantize_4bit(layer.weight.data, state).flatten()
        before = whole.get_submodule(name).weight.detach().flatten()
        scales = before.view(-1, 64).abs().amax(dim=1, keepdim=True)
        distances = (before.view(-1, 64) / scales)[..., None] - torch.tensor(NF4)
        expected = torch.tensor(NF4)[distances.abs().argmin(dim=-1)] * scales
        # The scales are themselves kept in eight bits.
        torch.testing.assert_close(found, expected.flatten(), rtol=0.02, atol=2e-3)


def test_answering_leaves_the_weights_as_they_were(quantized):
    model = quantized(torch.bfloat16).train()
    trained_with, packed = logits(model), {n: m.weight.data.clone() for n, m in in_four_bits(model).items()}
    model.eval()
    assert torch.equal(logits(model), trained_with)
    assert all(torch.equal(layer.weight.data, packed[name]) for name, layer in in_four_bits(model).items())
    assert torch.equal(logits(model.train()), trained_with)


@pytest.mark.parametrize("variant", [{}, {"dora": True, "projector": "trained"}], ids=["lora", "dora and projector"])
def test_its_adapter_reloads_on_four_bits_and_on_the_whole_base(quantized, whole, tmp_path, variant):
    target = ModelRegistry.get("tiny-llava").lora_target
    torch.manual_seed(0)
    model = add_lora(quantized(), target=target, rank=4, alpha=8, dropout=0, base_model="tiny-llava", **variant)
    ids = torch.tensor([[model.config.image_token_id] * 64 + [5, 6, 7]])
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)
    losses = []
    for _ in range(3):
        losses.append(model.train()(input_ids=ids, pixel_values=pixels, labels=ids).loss)
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    save_adapter(model, tmp_path)
    assert torch.equal(logits(load_adapter(quantized(), tmp_path)), logits(model.eval()))
    reloaded = load_adapter(whole, tmp_path)
    adapted = logits(reloaded)
    torch.testing.assert_close(logits(reloaded.merge_and_unload(safe_merge=True)), adapted, rtol=1e-4, atol=1e-4)


def test_without_bitsandbytes_it_says_what_to_install(quantized, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(SettingsError, match=r"training\.method: needs the bitsandbytes package, .*or choose lora"):
        quantized()


def test_widths_that_the_cpu_multiplies_wrongly_are_refused(tiny_source):
    with pytest.raises(SettingsError, match=r"layers\.0\..*no multiple of 64; choose lora.*qlora with 160 inputs"):
        load_model(tiny_source, class_name="LlavaForConditionalGeneration", dtype=torch.float32, four_bits=True)
