"""The merged weights are base plus scaled B times A, and nothing else has changed."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam2vlm.artifacts import files_below
from sam2vlm.errors import DataError
from sam2vlm.export.merge import export_merged

PREFIX = "base_model.model."


@pytest.fixture(scope="module")
def weights(exported, base):
    """Adapter, base and merged weights by name."""
    return (
        load_file(exported / "adapter" / "adapter_model.safetensors"),
        load_file(base.source.folder / "model.safetensors"),
        load_file(exported / "merged" / "model.safetensors"),
    )


def adapted_names(adapter):
    return {name.removeprefix(PREFIX).removesuffix(".lora_A.weight") for name in adapter if ".lora_A." in name}


def saved_name(module, merged):
    """The name under which Transformers saves a module's weight."""
    ending = module.removeprefix("model.language_model.")
    (name,) = [name for name in merged if name.endswith(f"{ending}.weight") and "vision" not in name]
    return name


def test_the_names_are_those_of_the_base(weights):
    _, before, merged = weights
    assert set(merged) == set(before)


def test_every_adapted_weight_is_base_plus_update(weights):
    adapter, before, merged = weights
    modules = adapted_names(adapter)
    assert len(modules) == 4 * 7
    for module in modules:
        name = saved_name(module, merged)
        up, down = adapter[f"{PREFIX}{module}.lora_B.weight"], adapter[f"{PREFIX}{module}.lora_A.weight"]
        # Rank 4 and alpha 8, so the update counts twice.
        expected = before[name].float() + 2.0 * (up @ down)
        torch.testing.assert_close(merged[name], expected)
        assert not torch.equal(merged[name], before[name].float())


def test_every_other_weight_is_the_base_s_own(weights):
    adapter, before, merged = weights
    touched = {saved_name(module, merged) for module in adapted_names(adapter)}
    untouched = set(merged) - touched
    assert len(untouched) == 114 - 28
    assert all(torch.equal(merged[name], before[name].float()) for name in untouched)


def test_it_is_a_whole_model_folder_that_generates_and_ends(exported):
    names = set(files_below(exported / "merged"))
    assert {"config.json", "generation_config.json", "model.safetensors", "chat_template.jinja"} <= names
    assert not any("adapter" in name for name in names)
    config = json.loads((exported / "merged" / "config.json").read_text())
    assert config["architectures"] == ["LlavaForConditionalGeneration"]
    assert config.get("use_cache", True) is True
    generation = json.loads((exported / "merged" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [1202]
    for name in ("chat_template.jinja", "tokenizer.json", "processor_config.json"):
        assert (exported / "merged" / name).read_bytes() == (exported / "adapter" / name).read_bytes()


def test_equal_input_gives_equal_bytes(exported, base, tmp_path):
    export_merged(exported / "adapter", tmp_path / "again", base=base, dtype=torch.float32)
    for name in files_below(tmp_path / "again"):
        assert (tmp_path / "again" / name).read_bytes() == (exported / "merged" / name).read_bytes(), name


def test_weights_that_are_not_finite_are_refused(copied, base, tmp_path):
    path = copied / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    next(iter(weights.values()))[0, 0] = float("inf")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(DataError, match="cannot be merged"):
        export_merged(copied / "adapter", tmp_path / "merged", base=base, dtype=torch.float32)
