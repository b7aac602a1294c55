"""The memory estimate by formula: counted by hand, against PEFT, and against what others publish."""

from __future__ import annotations

import pytest

from sam2vlm.config import ModelRegistry, estimate_memory
from sam2vlm.config.memory import _learning_parameters, adapter_parameters
from sam2vlm.errors import SettingsError

LLAVA_7B = "liuhaotian/llava-v1.5-7b"
PARTS = ("weights_gb", "adapter_gb", "gradients_gb", "optimizer_gb", "activations_gb", "logits_gb", "runtime_gb")


def estimate(name, **options):
    return estimate_memory(ModelRegistry.get(name), **options)


def test_the_specifications_call_gives_a_total_and_a_card():
    needed = estimate(LLAVA_7B, use_lora=True, batch_size=4)
    assert needed["recommended_gpu"] == "40 GB (A100)"
    assert needed["total_vram_gb"] == pytest.approx(sum(needed[part] for part in PARTS), abs=0.05)


def test_the_7b_model_counted_by_hand():
    needed = estimate(LLAVA_7B, batch_size=1, rank=8, max_length=1000)
    # Weights: 7,063,427,072 of 2 bytes. Adapter of rank 8: in each of 32 layers four projections of 4,096 + 4,096
    # and three of 4,096 + 11,008: 8 * 32 * (32,768 + 45,312) = 19,988,480 weights of 4 bytes.
    assert needed["weights_gb"] == 14.13
    assert adapter_parameters(ModelRegistry.get(LLAVA_7B), 8) == 19_988_480
    assert needed["adapter_gb"] == needed["gradients_gb"] == 0.08
    assert needed["optimizer_gb"] == 0.16
    # One layer: 2 * 1,000 * (6 * 4,096 + 2 * 4,096 + 4 * 11,008) = 153.6 MB; inputs: 2 * 1,000 * 4,096 * 32 = 262.1 MB.
    assert needed["activations_gb"] == 0.42
    # 10 * 1,000 * 32,064 = 320.6 MB.
    assert needed["logits_gb"] == 0.32
    assert needed["total_vram_gb"] == pytest.approx(14.127 + 0.08 * 2 + 0.16 + 0.4157 + 0.3206 + 1.0, abs=0.01)


# One of each shape: as many keys as queries, fewer of them, heads wider than the residual stream has room for.
SHAPES = (
    "liuhaotian/llava-v1.5-7b",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen3-VL-4B-Instruct",
    "google/gemma-3-12b-it",
)


# PEFT 0.21 reads an attribute that Transformers renamed; nothing of ours does.
@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
@pytest.mark.parametrize("name", SHAPES)
def test_the_adapter_is_as_large_as_pefts(name):
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    from sam2vlm.modeling.simulation.architecture import model_config

    # Layers are alike; all of them, of every model, are built by tests/unit/modeling/test_simulated_families.py.
    entry = ModelRegistry.get(name).model_copy(update={"layers": 2})
    with torch.device("meta"):
        model = getattr(transformers, entry.class_name)(model_config(entry))
        adapted = get_peft_model(model, LoraConfig(r=16, target_modules=entry.lora_target))
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert adapter_parameters(entry, 16) == trained


@pytest.mark.parametrize(
    ("options", "published"),
    [
        # One popular tool's table, in GB for a 7B model, short samples at batch 1: LoRA in 16 bits 16, 4-bit 6.
        ({"name": LLAVA_7B, "rank": 8}, 16),
        ({"name": LLAVA_7B, "rank": 8, "quantized": True}, 6),
        # The same table for 14B: 32 and 12.
        ({"name": "liuhaotian/llava-v1.5-13b", "rank": 8}, 32),
        ({"name": "liuhaotian/llava-v1.5-13b", "rank": 8, "quantized": True}, 12),
        # The same for 30B, 64; ours has 34.75B.
        ({"name": "llava-hf/llava-v1.6-34b-hf", "rank": 8}, 64 * 34.75 / 30),
        # Full training in bf16: 120 GB for 7B, with float32 master weights; 60 without them, which is another method.
        ({"name": LLAVA_7B, "use_lora": False}, 120),
        # Qwen2-VL-7B grounding, r 8, pictures of 1,003,520 pixels (1,280 tokens), batch 1: 20 GiB.
        ({"name": "Qwen/Qwen2.5-VL-7B-Instruct", "rank": 8, "max_length": 1536}, 20 * 1.0737),
    ],
)
def test_published_figures_are_within_a_factor_of_one_and_a_half(options, published):
    needed = estimate(**{"batch_size": 1, "max_length": 1024, **options})
    assert published / 1.5 <= needed["total_vram_gb"] <= published * 1.5


def test_checkpointing_quantization_and_smaller_batches_need_less():
    usual = estimate(LLAVA_7B)["total_vram_gb"]
    assert estimate(LLAVA_7B, gradient_checkpointing=False)["total_vram_gb"] > usual
    assert estimate(LLAVA_7B, quantized=True)["total_vram_gb"] < usual
    assert estimate(LLAVA_7B, batch_size=1)["total_vram_gb"] < usual
    assert estimate(LLAVA_7B, use_lora=False)["total_vram_gb"] > 4 * usual


def test_frozen_parts_have_neither_gradients_nor_an_optimizer():
    every = estimate(LLAVA_7B, use_lora=False)
    usual = estimate(LLAVA_7B, use_lora=False, learning=("language_model", "projector"))
    # CLIP-L/14 at 336 pixels: 24 layers of 4 x 1024 x 1024 + 2 x 1024 x 4096, 588 + 576 times 1024 beside them; its
    # biases and norms are not counted.
    tower = 24 * (4 * 1024 * 1024 + 2 * 1024 * 4096) + (588 + 576) * 1024
    assert every["gradients_gb"] - usual["gradients_gb"] == pytest.approx(2 * tower / 1e9, abs=0.011)
    assert every["optimizer_gb"] - usual["optimizer_gb"] == pytest.approx(12 * tower / 1e9, abs=0.011)
    assert usual["weights_gb"] == every["weights_gb"]
    projector = estimate(LLAVA_7B, use_lora=False, learning=("projector",))
    assert projector["optimizer_gb"] == pytest.approx(12 * (1024 * 4096 + 4096 * 4096) / 1e9, abs=0.011)


def test_the_formula_counts_what_learns_as_the_models_class_does():
    from sam2vlm.config.workload import Workload
    from sam2vlm.modeling.simulation.architecture import build_model

    entry = ModelRegistry.get("tiny-llava")
    for learning in (("language_model", "projector"), ("projector",), ("vision_tower",)):
        model = build_model(Workload(model=entry.name, method="full", learning=learning))
        trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
        # Biases and norms are left out; they are few but in a tower of the tiny one's width.
        assert _learning_parameters(entry, learning) == pytest.approx(trained, rel=0.03)


def test_more_tokens_than_the_model_has_positions_cost_nothing():
    assert estimate(LLAVA_7B, max_length=100_000) == estimate(LLAVA_7B, max_length=4096)


def test_the_tiny_model_needs_no_card_and_the_largest_more_than_one():
    assert estimate("tiny-llava")["recommended_gpu"].startswith("none needed")
    assert estimate("llava-hf/llava-onevision-qwen2-72b-ov-hf")["recommended_gpu"].startswith("no single card")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 0}, "batch_size: wrong value .expected at least 1; found 0"),
        ({"rank": -1}, "rank"),
        ({"quantized": True, "use_lora": False}, "4-bit weights cannot be trained"),
        ({"use_lora": False, "learning": ("head",)}, "learning: wrong value .*language_model or projector"),
    ],
)
def test_nonsense_is_refused(options, says):
    with pytest.raises(SettingsError, match=says):
        estimate_memory(ModelRegistry.get(LLAVA_7B), **options)


def test_an_unknown_model_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match="tiny-llava"):
        estimate("tiny-lava")


def test_the_registry_answers_from_a_simulated_step():
    from sam2vlm.config.workload import Workload
    from sam2vlm.modeling.simulation import simulate

    options = {"batch_size": 2, "rank": 8, "max_length": 256}
    needed = ModelRegistry().estimate_vram_requirements("tiny-llava", use_lora=True, **options)
    step = simulate(Workload(model="tiny-llava", batch_size=2, rank=8, tokens=256))
    assert needed["estimated_by"] == "simulation"
    assert needed["total_vram_gb"] == pytest.approx(step.total / 1e9, abs=0.01)
    assert {f"{part.replace('workspace', 'runtime')}_gb" for part in step.parts} == set(PARTS)
    assert needed["recommended_gpu"].startswith("none needed")


def test_a_family_that_cannot_be_simulated_and_a_machine_without_torch_take_the_formula(monkeypatch):
    name = "Salesforce/instructblip-vicuna-7b"
    assert ModelRegistry.estimate_vram_requirements(name) == {**estimate(name), "estimated_by": "formula"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ModelRegistry.estimate_vram_requirements(LLAVA_7B) == {**estimate(LLAVA_7B), "estimated_by": "formula"}
