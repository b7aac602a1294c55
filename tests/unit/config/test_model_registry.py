"""The registry, against the checked-in model and against Transformers' own classes."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from sam2vlm.config import ModelRegistry, ModelType
from sam2vlm.errors import SettingsError
from tests.families import FAMILIES

SPECIFICATION = (
    "liuhaotian/llava-v1.5-7b",
    "liuhaotian/llava-v1.5-13b",
    "Qwen/Qwen-VL-Chat",
    "Salesforce/instructblip-vicuna-7b",
)


def test_the_specifications_names_are_known():
    assert set(SPECIFICATION) < set(ModelRegistry.names())
    assert ModelRegistry().get(SPECIFICATION[0]) is ModelRegistry.get(SPECIFICATION[0])


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [
        ("tiny-llava", "package:modeling/tiny_llava"),
        ("liuhaotian/llava-v1.5-7b", "llava-hf/llava-1.5-7b-hf"),
        ("liuhaotian/llava-v1.5-13b", "llava-hf/llava-1.5-13b-hf"),
        ("Salesforce/instructblip-vicuna-7b", "Salesforce/instructblip-vicuna-7b"),
        ("llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf"),
    ],
)
def test_names_resolve_to_checkpoints_in_transformers_format(name, checkpoint):
    assert ModelRegistry.resolve(name) == checkpoint


def test_a_checkpoint_that_no_longer_runs_names_its_successor_and_never_becomes_it():
    with pytest.raises(SettingsError, match=r"Transformers 5 no longer runs.*Qwen/Qwen2\.5-VL-7B-Instruct"):
        ModelRegistry.resolve("Qwen/Qwen-VL-Chat")
    successor = ModelRegistry.get("Qwen/Qwen-VL-Chat").successor
    assert ModelRegistry.resolve(successor) == successor


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("llava-1.5-7b", "llava-hf/llava-1.5-7b-hf"),
        ("tiny_llava", "tiny-llava"),
        ("QWEN/qwen-vl-chat", "Qwen/Qwen-VL-Chat"),
    ],
)
def test_an_unknown_model_names_the_nearest(asked, meant):
    with pytest.raises(SettingsError, match=re.escape(meant)) as caught:
        ModelRegistry.get(asked)
    assert caught.value.exit_code == 78


def test_a_name_like_no_other_says_where_the_names_are():
    with pytest.raises(SettingsError, match="`sam2vlm models` lists them"):
        ModelRegistry.get("§§§§")


def test_the_families_whose_suite_ran_are_what_this_version_trains_and_the_others_say_why_not():
    shown = {ModelType(family.name) for family in FAMILIES}
    for name in ModelRegistry.names():
        entry = ModelRegistry.get(name)
        assert entry.trainable == (entry.type in shown)
        assert entry.trainable or entry.refusal


@pytest.mark.parametrize(
    ("module", "adapted"),
    [
        ("model.language_model.layers.0.self_attn.q_proj", True),
        ("model.language_model.layers.31.mlp.down_proj", True),
        ("model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", False),
        ("model.vision_tower.encoder.layers.0.self_attn.k_proj", False),
        ("model.multi_modal_projector.linear_1", False),
        ("model.language_model.embed_tokens", False),
        ("lm_head", False),
    ],
)
def test_the_familys_target_is_the_language_model_only(module, adapted):
    target = ModelRegistry.get("liuhaotian/llava-v1.5-7b").lora_target
    assert bool(re.fullmatch(target, module)) is adapted


def test_the_shipped_model_is_what_its_entry_says():
    entry = ModelRegistry.get("tiny-llava")
    folder = files("sam2vlm").joinpath(*entry.checkpoint.removeprefix("package:").split("/"))
    config = json.loads(folder.joinpath("config.json").read_text())
    text, vision = config["text_config"], config["vision_config"]
    assert config["architectures"] == [entry.class_name]
    assert config["image_token_index"] == entry.image_token_id
    assert config["image_seq_length"] == entry.image_tokens
    assert {
        "num_hidden_layers": entry.layers,
        "hidden_size": entry.hidden,
        "num_attention_heads": entry.heads,
        "num_key_value_heads": entry.kv_heads,
        "intermediate_size": entry.intermediate,
        "vocab_size": entry.vocab,
        "max_position_embeddings": entry.max_positions,
    }.items() <= text.items()
    assert {
        "num_hidden_layers": entry.vision.layers,
        "hidden_size": entry.vision.hidden,
        "intermediate_size": entry.vision.intermediate,
        "num_attention_heads": entry.vision.heads,
        "image_size": entry.vision.image_size,
        "patch_size": entry.vision.patch_size,
    }.items() <= vision.items()
    assert entry.packaged
    assert entry.parameters < 3_000_000


@pytest.mark.parametrize("name", ["tiny-llava", "liuhaotian/llava-v1.5-7b", "liuhaotian/llava-v1.5-13b"])
def test_the_entrys_dimensions_give_its_parameter_count_in_transformers(name):
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    entry = ModelRegistry.get(name)
    text = LlamaConfig(
        vocab_size=entry.vocab,
        hidden_size=entry.hidden,
        intermediate_size=entry.intermediate,
        num_hidden_layers=entry.layers,
        num_attention_heads=entry.heads,
        num_key_value_heads=entry.kv_heads,
    )
    tower = entry.vision
    vision = CLIPVisionConfig(
        hidden_size=tower.hidden,
        intermediate_size=tower.intermediate,
        num_hidden_layers=tower.layers,
        num_attention_heads=tower.heads,
        image_size=tower.image_size,
        patch_size=tower.patch_size,
    )
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text))
    assert sum(weight.numel() for weight in model.parameters()) == entry.parameters
    if entry.type is ModelType.LLAVA:
        assert (tower.image_size // tower.patch_size) ** 2 == entry.image_tokens


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        # What the team counted on the meta device, in billions (design note on the families).
        ("liuhaotian/llava-v1.5-7b", 7.063),
        ("liuhaotian/llava-v1.5-13b", 13.351),
        ("llava-hf/llava-v1.6-mistral-7b-hf", 7.567),
        ("llava-hf/llava-v1.6-34b-hf", 34.75),
        ("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 0.8937),
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", 8.030),
        ("llava-hf/llava-onevision-qwen2-72b-ov-hf", 73.18),
        ("OpenGVLab/InternVL3-1B-hf", 0.938),
        ("OpenGVLab/InternVL3-2B-hf", 2.089),
        ("OpenGVLab/InternVL3-8B-hf", 7.944),
        ("OpenGVLab/InternVL3-14B-hf", 15.12),
        ("OpenGVLab/InternVL3-38B-hf", 38.39),
        ("OpenGVLab/InternVL3-78B-hf", 78.41),
        ("google/paligemma2-3b-mix-448", 3.033),
        ("google/paligemma2-10b-mix-448", 9.664),
        ("google/paligemma2-28b-mix-448", 27.65),
        ("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", 0.2565),
        ("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", 0.5075),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2.247),
        ("florence-community/Florence-2-base", 0.2361),
        ("florence-community/Florence-2-large", 0.7765),
        ("google/gemma-3-4b-it", 4.300),
        ("google/gemma-3-12b-it", 12.19),
        ("google/gemma-3-27b-it", 27.43),
        ("Qwen/Qwen2-VL-2B-Instruct", 2.209),
        ("Qwen/Qwen2-VL-7B-Instruct", 8.291),
        ("Qwen/Qwen2-VL-72B-Instruct", 73.41),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 3.755),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8.292),
        ("Qwen/Qwen2.5-VL-32B-Instruct", 33.45),
        ("Qwen/Qwen2.5-VL-72B-Instruct", 73.41),
        ("Qwen/Qwen3-VL-2B-Instruct", 2.128),
        ("Qwen/Qwen3-VL-4B-Instruct", 4.438),
        ("Qwen/Qwen3-VL-8B-Instruct", 8.767),
        ("Qwen/Qwen3-VL-32B-Instruct", 33.36),
        ("Salesforce/instructblip-vicuna-7b", 7.914),
    ],
)
def test_parameter_counts_are_those_that_were_published_or_counted(name, billions):
    assert ModelRegistry.get(name).parameters / 1e9 == pytest.approx(billions, rel=2.5e-4)
