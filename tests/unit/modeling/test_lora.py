from __future__ import annotations

import pytest
import torch

from sam2vlm.config import ConfigPresets, ModelRegistry
from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.collator import Collator
from sam2vlm.modeling.lora import add_lora, trainable_parameters
from sam2vlm.modeling.samples import Samples, select_samples
from tests.training_runs import split

FAMILY = ModelRegistry.get("tiny-llava").lora_target


def adapt(model, target=FAMILY):
    return add_lora(model, target=target, rank=4, alpha=8, dropout=0, base_model="tiny-llava")


def test_the_family_s_expression_adapts_the_seven_projections_of_each_layer_and_nothing_else(tiny_model):
    trained = trainable_parameters(adapt(tiny_model))
    assert len(trained) == 4 * 7 * 2
    assert all(".language_model.layers." in name and ".lora_" in name for name in trained)
    # rank * (in + out) of q, k, v, o: 160 + 160; gate, up, down: 160 + 432
    assert sum(trained.values()) == 4 * 4 * (4 * 320 + 3 * 592)


@pytest.mark.parametrize("target", [r".*\.(q_proj|v_proj)", "all-linear", r".*multi_modal_projector\.linear_1"])
def test_an_expression_that_reaches_the_vision_tower_or_the_projector_is_refused(tiny_model, target):
    with pytest.raises(SettingsError, match="outside of the language model"):
        adapt(tiny_model, target)


def test_who_names_the_tower_and_the_projector_on_purpose_gets_them_adapted(tiny_model):
    target = ConfigPresets.demo(data_path="a").target_modules
    model = add_lora(
        tiny_model, target=target, rank=4, alpha=8, dropout=0, base_model="tiny-llava", language_model_only=False
    )
    trained = trainable_parameters(model)
    assert all(".lora_" in name for name in trained)
    # q, k, v, out, fc1, fc2 in each of the tower's four layers, and the projector's two.
    assert len(trained) == 2 * (4 * 7 + 4 * 6 + 2)


def test_an_expression_that_matches_nothing_is_refused(tiny_model):
    with pytest.raises(SettingsError, match="fits no module"):
        adapt(tiny_model, "nothing_at_all")


def test_the_adapter_s_configuration_names_the_base_and_no_path(tiny_model):
    assert adapt(tiny_model).peft_config["default"].base_model_name_or_path == "tiny-llava"


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_reach_every_layer_of_the_adapter(tiny_model, encoder, processor, checkpointing):
    torch.manual_seed(0)
    model = adapt(tiny_model)
    if checkpointing:
        model.base_model.model.activation_checkpointing_enable({"use_reentrant": False})
    rows = split(2)
    kept, _ = select_samples(rows, encoder, boxes=LlavaBoxes(), max_length=512, max_dropped_share=0)
    samples = Samples(rows, kept, processor=processor, cache_mb=1)
    batch = Collator(pad_token_id=0)([samples[0], samples[1]])
    del batch["sample_numbers"]
    model.train()
    model(**batch).loss.backward()
    silent = [
        name
        for name, weight in model.named_parameters()
        if "lora_B" in name and (weight.grad is None or weight.grad.abs().sum() == 0)
    ]
    assert silent == []
    assert all(weight.grad is None for name, weight in model.named_parameters() if "lora_" not in name)
