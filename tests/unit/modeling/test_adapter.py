"""An adapter that does not fit is an error, not a model that was never trained."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import DataError
from sam2vlm.modeling.adapter import ADAPTER_WEIGHTS, load_adapter
from sam2vlm.modeling.loading import load_model


@pytest.fixture(scope="module")
def saved(tiny_source, tmp_path_factory):
    """A saved adapter of random weights."""
    model = load_model(tiny_source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)
    target = ModelRegistry.get("tiny-llava").lora_target
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=target, task_type="CAUSAL_LM"))
    torch.manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    folder = tmp_path_factory.mktemp("adapter")
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "adapter")


def rewritten(folder, change):
    path = folder / ADAPTER_WEIGHTS
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def test_every_weight_of_the_file_is_in_the_model(tiny_model, folder):
    adapted = load_adapter(tiny_model, folder)
    found = {name for name, weight in adapted.named_parameters() if "lora_" in name and weight.abs().sum() > 0}
    assert len(found) == len(load_file(folder / ADAPTER_WEIGHTS)) == 4 * 7 * 2
    assert not adapted.training


def test_a_weight_of_another_name_is_an_error(tiny_model, folder):
    rewritten(
        folder, lambda weights: {name.replace("language_model", "text_model"): item for name, item in weights.items()}
    )
    with pytest.raises(DataError, match="56 weights of the adapter are missing"):
        load_adapter(tiny_model, folder)


def test_a_weight_too_many_is_an_error(tiny_model, folder):
    rewritten(folder, lambda weights: {**weights, "base_model.model.more.lora_A.weight": torch.zeros(2, 3)})
    with pytest.raises(DataError, match=r"1 weights of the adapter are unexpected.*more\.lora_A"):
        load_adapter(tiny_model, folder)


def test_another_rank_is_an_error(tiny_model, folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | {"r": 3}))
    with pytest.raises(DataError, match="the adapter cannot be loaded"):
        load_adapter(tiny_model, folder)


def test_a_truncated_file_is_an_error(tiny_model, folder):
    path = folder / ADAPTER_WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="the adapter cannot be loaded"):
        load_adapter(tiny_model, folder)


def test_a_pickle_is_never_opened(tiny_model, folder):
    (folder / ADAPTER_WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(DataError, match="expected an adapter in PEFT's layout"):
        load_adapter(tiny_model, folder)
