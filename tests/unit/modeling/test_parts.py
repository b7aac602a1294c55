"""Towers and projectors are found in the real classes of the families; only their structure is built."""

from __future__ import annotations

import re

import pytest
import torch
import transformers
from torch import nn

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.parts import linear_layers, projectors_of, vision_tower_of, within

FAMILIES = {
    "Llava": ("model.vision_tower", ["model.multi_modal_projector"]),
    "Qwen2_5_VL": ("model.visual", ["model.visual.merger"]),
    "Qwen3VL": (
        "model.visual",
        ["model.visual.merger", "model.visual.deepstack_merger_list.0", "model.visual.deepstack_merger_list.1"],
    ),
    "InstructBlip": ("vision_model", ["language_projection"]),
    "SmolVLM": ("model.vision_model", ["model.connector"]),
    "Gemma3": ("model.vision_tower", ["model.multi_modal_projector"]),
    "PaliGemma": ("model.vision_tower", ["model.multi_modal_projector"]),
}


def shallow(family):
    """The family's class with its default sizes and two layers, without memory for the weights."""
    model_class = getattr(transformers, f"{family}ForConditionalGeneration")
    config = model_class.config_class()
    for part in (config.text_config, config.vision_config, getattr(config, "qformer_config", None)):
        for name in ("num_hidden_layers", "depth"):
            if hasattr(part, name):
                setattr(part, name, 2)
        if getattr(part, "layer_types", None):
            part.layer_types = part.layer_types[:2]
        if hasattr(part, "deepstack_visual_indexes"):
            part.deepstack_visual_indexes = [0, 1]
    with torch.device("meta"):
        return model_class(config)


@pytest.mark.parametrize("family", FAMILIES)
def test_tower_and_projector_are_found_and_hold_only_their_own_layers(family):
    model = shallow(family)
    tower, projectors = vision_tower_of(model), projectors_of(model)
    assert (tower, list(projectors)) == FAMILIES[family]
    expression = re.compile(linear_layers(model, [tower], without=projectors))
    matched = {name for name, _ in model.named_modules() if expression.fullmatch(name)}
    expected = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and within(name, [tower]) and not within(name, projectors)
    }
    assert matched == expected
    assert len(matched) >= 2 * 4


def test_a_list_of_projectors_is_trained_whole():
    base = shallow("Qwen3VL")
    base.name_or_path = "any"
    model = add_lora(
        base,
        target=r"model\.language_model\..*\.q_proj",
        rank=2,
        alpha=4,
        dropout=0,
        base_model="any",
        projector="trained",
    )
    whole = {name for name, weight in model.named_parameters() if weight.requires_grad and "lora_" not in name}
    assert len(whole) == 3 * 6
    assert all("merger" in name for name in whole)


def test_a_projector_without_linear_layers_says_what_to_choose():
    model = shallow("Gemma3")
    with pytest.raises(SettingsError, match="train the projector whole"):
        linear_layers(model, projectors_of(model))


def test_a_model_without_a_tower_says_so():
    config = transformers.LlamaConfig(num_hidden_layers=1, hidden_size=8, num_attention_heads=1, vocab_size=8)
    with pytest.raises(SettingsError, match=r"has no vision tower .*leave it frozen"):
        vision_tower_of(transformers.LlamaForCausalLM(config))
