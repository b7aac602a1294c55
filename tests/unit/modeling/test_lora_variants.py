"""The variants of LoRA: what they train, that they compute what their papers say, that they reload and merge."""

from __future__ import annotations

import math

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.adapter import ADAPTER_WEIGHTS, load_adapter
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.lora import add_lora, trainable_parameters
from sam2vlm.trainers.lora_trainer import save_adapter

FAMILY = ModelRegistry.get("tiny-llava").lora_target
VARIANTS = {
    "rslora": {"rslora": True},
    "dora": {"dora": True},
    "tower": {"vision_tower": True},
    "projector adapted": {"projector": "adapted"},
    "projector trained": {"projector": "trained"},
    "all": {"rslora": True, "dora": True, "vision_tower": True, "projector": "trained"},
}
LAYER = "model.language_model.layers.0.self_attn.q_proj"


def adapt(model, *, target=FAMILY, **variant):
    torch.manual_seed(0)
    return add_lora(model, target=target, rank=4, alpha=8, dropout=0, base_model="tiny-llava", **variant)


def moved(model):
    """Every trained weight as if steps had been taken."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.05)
    return model.eval()


def logits(model):
    ids = torch.tensor([[model.config.image_token_id] * 64 + [5, 6, 7]])
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits


def another(tiny_source):
    return load_model(tiny_source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_it_reloads_in_peft_and_here_and_merging_equals_it(tiny_model, tiny_source, tmp_path, variant):
    model = moved(adapt(tiny_model, **variant))
    trained = logits(model)
    save_adapter(model, tmp_path)
    assert not torch.allclose(trained, logits(another(tiny_source)))
    assert torch.equal(logits(load_adapter(another(tiny_source), tmp_path)), trained)
    assert torch.equal(logits(PeftModel.from_pretrained(another(tiny_source), tmp_path).eval()), trained)
    merged = load_adapter(another(tiny_source), tmp_path).merge_and_unload(safe_merge=True)
    torch.testing.assert_close(logits(merged), trained, rtol=1e-4, atol=1e-4)
    assert [name for name, _ in merged.named_parameters()] == [n for n, _ in another(tiny_source).named_parameters()]


def test_rslora_divides_by_the_root_of_the_rank(tiny_model):
    layer = adapt(tiny_model, rslora=True).get_submodule(f"base_model.model.{LAYER}")
    assert layer.scaling["default"] == pytest.approx(8 / math.sqrt(4))


def test_dora_is_a_length_times_a_direction(tiny_model):
    before = tiny_model.get_submodule(LAYER).weight.detach().clone()
    layer = moved(adapt(tiny_model, dora=True)).get_submodule(f"base_model.model.{LAYER}")
    update = 2.0 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    direction = (before + update) / (before + update).norm(dim=1, keepdim=True)
    expected = layer.lora_magnitude_vector["default"].weight[:, None] * direction
    inputs = torch.randn(3, before.shape[1], generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(layer(inputs), inputs @ expected.T, rtol=1e-4, atol=1e-5)


def test_a_trained_projector_is_trained_whole_and_nothing_else_is_but_the_adapter(tiny_model, tmp_path):
    model = adapt(tiny_model, projector="trained")
    trained = trainable_parameters(model)
    whole = {name.rpartition("default.")[2] for name in trained if "lora_" not in name}
    assert whole == {"linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias"}
    assert all("language_model" in name for name in trained if "lora_" in name)
    save_adapter(moved(model), tmp_path)
    saved = {name for name in load_file(tmp_path / ADAPTER_WEIGHTS) if "lora_" not in name}
    assert saved == {f"base_model.model.model.multi_modal_projector.{name}" for name in whole}


def test_the_tower_s_adapter_lies_on_its_linear_layers_and_not_on_the_projector(tiny_model):
    names = [name for name in trainable_parameters(adapt(tiny_model, vision_tower=True)) if "language" not in name]
    assert len(names) == 2 * 4 * 6
    assert all("model.vision_tower." in name for name in names)


def test_what_the_target_adds_to_the_chosen_parts_is_still_refused(tiny_model):
    with pytest.raises(
        SettingsError, match=r"outside of the language model .*below language_model or text_model, model\.v"
    ):
        adapt(tiny_model, target=rf"{FAMILY}|.*\.linear_1", vision_tower=True)


def test_a_projector_in_32_bits_is_loaded_by_a_model_in_16(tiny_model, tiny_source, tmp_path):
    save_adapter(moved(adapt(tiny_model, projector="trained")), tmp_path)
    half = load_model(tiny_source, class_name="LlavaForConditionalGeneration", dtype=torch.bfloat16)
    assert load_adapter(half, tmp_path).get_base_model().dtype == torch.bfloat16


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_trained_weight_gets_a_gradient(tiny_model, variant):
    model = moved(adapt(tiny_model, **variant)).train()
    ids = torch.tensor([[model.config.image_token_id] * 64 + [5, 6, 7]])
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    model(input_ids=ids, pixel_values=pixels, labels=ids).loss.backward()
    silent = {name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None}
    assert silent == set()
