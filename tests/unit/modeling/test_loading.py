from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.modeling.source import ModelSource

CLASS = "LlavaForConditionalGeneration"


@pytest.fixture
def copied(tiny_source, tmp_path):
    folder = shutil.copytree(tiny_source.folder, tmp_path / "model")
    return ModelSource(name="mine", folder=folder, digest="")


def load(source, class_name=CLASS):
    return load_model(source, class_name=class_name, dtype=torch.float32)


def change_weights(source, change):
    path = source.folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def change_config(source, **values):
    path = source.folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_the_packaged_model_loads_and_answers(tiny_model, processor):
    picture = torch.zeros(1, 3, 128, 128)
    ids = torch.tensor([[processor.image_token_id] * 64 + [5, 6]])
    logits = tiny_model(input_ids=ids, pixel_values=picture).logits
    assert logits.shape == (1, 66, len(processor.tokenizer))
    assert torch.isfinite(logits).all()


def test_every_part_attends_as_it_is_asked_to(tiny_source):
    config = load_model(tiny_source, class_name=CLASS, dtype=torch.float32, attention="eager").config
    parts = (config, config.text_config, config.vision_config)
    assert [part._attn_implementation for part in parts] == ["eager"] * 3


def test_no_path_of_this_machine_stays_in_the_configuration(copied):
    model = load(copied)
    assert model.name_or_path == "mine"
    assert str(copied.folder) not in json.dumps(model.config.to_dict(), default=str)


def test_a_missing_weight_fails_by_name(copied):
    change_weights(copied, lambda weights: weights.pop("lm_head.weight", None) or weights.popitem())
    with pytest.raises(DataError, match=r"mine: missing_keys: .*1:"):
        load(copied)


def test_an_unexpected_weight_fails_by_name(copied):
    change_weights(copied, lambda weights: weights.update(stranger=torch.zeros(2)))
    with pytest.raises(DataError, match=r"unexpected_keys.*stranger"):
        load(copied)


def test_torn_weights_fail_in_one_sentence(copied):
    path = copied.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="weights cannot be read"):
        load(copied)


def test_weights_in_a_pickle_are_not_taken(copied):
    weights = load_file(copied.folder / "model.safetensors")
    torch.save(weights, copied.folder / "pytorch_model.bin")
    (copied.folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="weights cannot be read"):
        load(copied)


def test_a_language_model_without_eyes_is_refused(copied):
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    (copied.folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="not a vision-language model"):
        load(copied)


def test_another_class_than_the_registry_says_is_refused(copied):
    with pytest.raises(SettingsError, match=r"expected LlavaNextForConditionalGeneration.*found.*LlavaFor"):
        load(copied, "LlavaNextForConditionalGeneration")


def test_a_model_that_brings_its_own_code_is_refused(copied):
    change_config(copied, model_type="qwen", auto_map={"AutoConfig": "configuration_qwen.QWenConfig"})
    (copied.folder / "configuration_qwen.py").write_text("raise SystemExit('ran foreign code')")
    with pytest.raises(SettingsError, match="configuration cannot be read"):
        load(copied)


def test_the_processor_resizes_with_pillow_whatever_else_is_installed(processor):
    assert type(processor.image_processor).__name__.endswith("Pil")


@pytest.mark.parametrize("missing", ["tokenizer.json", "processor_config.json", "chat_template.jinja"])
def test_a_folder_without_a_whole_processor_is_refused(copied, missing):
    (copied.folder / missing).unlink()
    with pytest.raises(SettingsError, match="mine"):
        load_processor(copied.folder, name="mine")
