"""Groups of one learning rate each: every trained weight in exactly one of them."""

from __future__ import annotations

import pytest
import torch

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.source import find_model
from sam2vlm.trainers.parameter_groups import parameter_groups, part_rates

TARGET = ModelRegistry.get("tiny-llava").lora_target


@pytest.fixture
def base():
    source = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava")
    return load_model(source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)


def groups_of(base, variant, **part_learning_rates):
    """Names, learning rate and weight decay of each group; every trained weight has to be in exactly one."""
    rates = part_rates(base, **{"projector": None, "vision_tower": None, **part_learning_rates})
    model = add_lora(base, target=TARGET, rank=2, alpha=4, dropout=0, base_model="tiny-llava", **variant)
    decayed = {name for name, _ in model.named_parameters() if not name.endswith("bias")}
    names = {id(weight): name for name, weight in model.named_parameters() if weight.requires_grad}
    groups = parameter_groups(model, rates, learning_rate=0.1, weight_decay=0.5, decayed=decayed)
    found = [
        ([names[id(weight)] for weight in group["params"]], group["lr"], group["weight_decay"]) for group in groups
    ]
    assert sorted(name for members, _, _ in found for name in members) == sorted(names.values())
    return found


def test_each_part_has_its_rate_and_biases_do_not_decay(base):
    found = groups_of(base, {"vision_tower": True, "projector": "trained"}, projector=0.2, vision_tower=0.3)
    # The main rate comes first: it is the one that is logged.
    assert [group[1:] for group in found] == [(0.1, 0.5), (0.2, 0.5), (0.2, 0.0), (0.3, 0.5)]
    language, projector, biases, tower = (members for members, _, _ in found)
    assert all("language_model" in name for name in language)
    assert all("multi_modal_projector" in name and name.endswith("weight") for name in projector)
    assert len(biases) == 2
    assert all("vision_tower" in name for name in tower)


def test_a_part_without_a_rate_of_its_own_has_the_main_one(base):
    found = groups_of(base, {"vision_tower": True, "projector": "adapted"}, vision_tower=0.3)
    assert [group[1:] for group in found] == [(0.1, 0.5), (0.3, 0.5)]
    assert any("multi_modal_projector" in name for name in found[0][0])


def test_a_rate_for_what_is_not_trained_is_refused(base):
    with pytest.raises(SettingsError, match=r"multi_modal_projector.*0\.2, but nothing in it is trained"):
        groups_of(base, {"vision_tower": True}, projector=0.2)
