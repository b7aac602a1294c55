"""Which layers run twice: counted, not read from a flag."""

from __future__ import annotations

import pytest
import torch

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.attention import require_attention
from sam2vlm.modeling.checkpointing import checkpoint_activations
from sam2vlm.modeling.lora import add_lora


def step(model):
    """How often a layer of the language model and one of the tower ran in both passes, and the gradients."""
    runs = {"language_model": 0, "vision_tower": 0}
    layers = {name: model.get_submodule(f"base_model.model.model.{name}") for name in runs}
    watched = {
        "language_model": layers["language_model"].layers[0].mlp,
        "vision_tower": layers["vision_tower"].encoder.layers[0].mlp,
    }
    for name, layer in watched.items():
        layer.register_forward_pre_hook(lambda *_, name=name: runs.update({name: runs[name] + 1}))
    ids = torch.tensor([[model.config.image_token_id] * 64 + [5, 6, 7]])
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    model.train()(input_ids=ids, pixel_values=pixels, labels=ids).loss.backward()
    return runs, {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.fixture
def model(tiny_model):
    torch.manual_seed(0)
    target = ModelRegistry.get("tiny-llava").lora_target
    return add_lora(tiny_model, target=target, rank=2, alpha=4, dropout=0, base_model="tiny-llava", vision_tower=True)


@pytest.mark.parametrize("tower", [False, True])
@pytest.mark.parametrize("language", [False, True])
def test_each_part_runs_twice_exactly_where_it_was_asked_to(model, language, tower):
    _, plain = step(model)
    model.zero_grad()
    plain = {name: grad.clone() for name, grad in plain.items()}
    checkpoint_activations(model.get_base_model(), language_model=language, vision_tower=tower)
    runs, grads = step(model)
    assert runs == {"language_model": 1 + language, "vision_tower": 1 + tower}
    for name, grad in plain.items():
        torch.testing.assert_close(grads[name], grad)


def test_flash_attention_is_refused_in_one_sentence_where_it_is_not():
    with pytest.raises(SettingsError, match=r"devices\.attention: needs the flash-attn package .*choose sdpa"):
        require_attention("flash_attention_2", dtype=torch.bfloat16)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_torch_s_own_attention_is_everywhere(attention):
    require_attention(attention, dtype=torch.float32)
