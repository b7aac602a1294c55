"""The plan of every family: against bytes that its small real model allocates, and against the registry."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sam2vlm.config import ModelRegistry
from sam2vlm.config.memory import adapter_parameters
from sam2vlm.config.workload import Workload
from sam2vlm.errors import SettingsError
from sam2vlm.modeling.encoding import TOKEN_TYPES
from sam2vlm.modeling.lora import ADAPTER_KEY
from sam2vlm.modeling.parts import base_of
from sam2vlm.modeling.simulation import StorageLedger, can_simulate, ledger, simulate, step
from sam2vlm.modeling.simulation.architecture import build_model
from sam2vlm.modeling.simulation.batches import one_batch, show_picture
from sam2vlm.modeling.simulation.families import FAMILIES as SIMULATED
from tests.allocated import peak_of, peak_of_a_real_step
from tests.families import FAMILIES
from tests.small_steps import small_step

# PEFT asks Transformers by names that it has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")

BY_NAME = {family.name: family for family in FAMILIES}
# A window of pixels and a sequence that is looked at in parts: what is most unlike LLaVA.
QUICK = [("qwen2_5_vl", {"gradient_checkpointing": True}), ("gemma3", {"padded": True})]
ALL = [
    (family.name, settings)
    for family in FAMILIES
    for settings in (
        {},
        {"gradient_checkpointing": True, "padded": True},
        {"vision_tower": True, "projector": "trained"},
    )
]


def within_three_percent(name, settings, tmp_path):
    real = small_step(BY_NAME[name], tmp_path / "model", **settings)
    allocated = peak_of_a_real_step(real.model, real.batch)
    assert simulate(real.workload, tmp_path / "model").total == pytest.approx(allocated, rel=0.03)


@pytest.mark.parametrize(("name", "settings"), QUICK)
def test_the_plan_is_within_three_percent_of_what_two_small_models_allocate(name, settings, tmp_path):
    within_three_percent(name, settings, tmp_path)


@pytest.mark.integration
@pytest.mark.parametrize(("name", "settings"), ALL)
def test_the_plan_is_within_three_percent_of_what_every_familys_small_model_allocates(name, settings, tmp_path):
    within_three_percent(name, settings, tmp_path)


def test_every_family_that_can_be_trained_can_be_planned():
    entries = [entry for entry in map(ModelRegistry.get, ModelRegistry.names()) if entry.trainable]
    assert [entry.name for entry in entries if not can_simulate(entry.class_name)] == []
    assert {family.class_name for family in FAMILIES} == set(SIMULATED)


@pytest.mark.parametrize("name", ["smolvlm", "paligemma"])
def test_a_planned_batch_is_what_the_familys_collator_makes(name, tmp_path):
    real = small_step(BY_NAME[name], tmp_path / "model")
    model, picture = step._built(real.workload, tmp_path / "model")
    planned = one_batch(real.workload, model, picture)
    assert planned.pop("logits_to_keep") == real.batch.pop("logits_to_keep")
    shapes = {key: (values.shape, values.dtype) for key, values in planned.items()}
    assert shapes == {key: (values.shape, values.dtype) for key, values in real.batch.items()}
    # PaliGemma reads its question in both directions, by where its answer is.
    for key in set(TOKEN_TYPES) & set(planned):
        assert torch.equal(planned[key], real.batch[key])


def test_blank_tiles_are_counted_with_what_torch_allocates_for_it(tmp_path):
    real = small_step(BY_NAME["smolvlm"], tmp_path / "model")
    names, work = ("pixel_values", "pixel_attention_mask"), replace(real.workload, precision="bf16")
    batch = {name: real.batch[name] for name in names}
    batch["pixel_values"] = batch["pixel_values"].bfloat16()
    model, picture = step._built(work, tmp_path / "model")
    planned = one_batch(work, model, picture)
    asked, simulated = (base_of(each).model for each in (real.model.bfloat16(), model))
    # In half precision and without gradients the highest moment is this count, and not the tower's.
    with torch.no_grad():
        allocated = peak_of(lambda: asked.get_image_features(**batch))
        with StorageLedger() as counted:
            for name in names:
                counted.hold(planned[name], "activations")
            simulated.get_image_features(**{name: planned[name] for name in names})
    held = sum(values.nbytes for values in batch.values())
    assert sum(counted.peak.values()) == pytest.approx(allocated + held, rel=0.01)


def test_four_bits_are_counted_for_a_language_model_of_the_other_name(tmp_path):
    work = small_step(BY_NAME["smolvlm"], tmp_path / "model").workload
    work = replace(work, precision="bf16")
    plain, packed = (simulate(replace(work, method=method), tmp_path / "model") for method in ("lora", "qlora"))
    # In each of 2 layers queries and outputs of 32 x 32, keys and values of 32 x 16, and three of 32 x 64.
    projections = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64)
    assert plain.weights - packed.weights == pytest.approx(projections * (2 - 4.127 / 8), abs=30)


def test_attention_that_training_would_refuse_is_not_planned(tmp_path):
    work = small_step(BY_NAME["paligemma"], tmp_path / "model").workload
    with pytest.raises(SettingsError, match=r"devices.attention: would leave out which tokens"):
        simulate(replace(work, attention="flash_attention_2"), tmp_path / "model")


@pytest.mark.integration
@pytest.mark.parametrize(
    "name", [name for name in ModelRegistry.names() if can_simulate(ModelRegistry.get(name).class_name)]
)
def test_the_built_model_its_adapter_and_its_picture_have_the_registrys_size(name):
    entry, work = ModelRegistry.get(name), Workload(model=name, rank=16)
    model = build_model(work)
    numbers = {key: weight.numel() for key, weight in model.named_parameters()}
    adapter = sum(count for key, count in numbers.items() if ADAPTER_KEY in key)
    assert sum(numbers.values()) - adapter == entry.parameters
    # PEFT's own count of the real architecture's projections.
    assert adapter == adapter_parameters(entry, 16)
    assert show_picture(model, work, entry, None).tokens == entry.image_tokens


def test_a_picture_that_leaves_no_room_is_told_with_its_size(tmp_path):
    BY_NAME["internvl"].save(tmp_path / "model")
    work = Workload(model="OpenGVLab/InternVL3-1B-hf", device="cpu", precision="fp32", tokens=16, picture=(112, 112))
    with pytest.raises(SettingsError, match=r"a picture of 112 x 112 takes 20 tokens.*expected at least 21; found 16"):
        simulate(work, tmp_path / "model")


@pytest.fixture
def qwen(tmp_path):
    """A folder with Qwen2.5-VL's small model, and a step of it with several windows a picture."""
    BY_NAME["qwen2_5_vl"].save(tmp_path / "model")
    work = Workload(
        model="Qwen/Qwen2.5-VL-7B-Instruct", batch_size=2, tokens=128, rank=4, padded=False, vision_tower=True,
        picture=(224, 224), max_pixels=224 * 224,
    )  # fmt: skip
    settings = tmp_path / "model" / "processor_config.json"
    settings.write_text(settings.read_text().replace("12544", "50176"))
    return tmp_path / "model", work


def test_all_windows_at_once_need_what_they_do_one_after_the_other(qwen, monkeypatch):
    folder, work = qwen
    step._simulated.cache_clear()
    at_once = simulate(work, folder)
    kind = "Qwen2_5_VLForConditionalGeneration"
    monkeypatch.setitem(SIMULATED, kind, replace(SIMULATED[kind], also=lambda _model, _inputs: {}))
    step._simulated.cache_clear()
    step._built.cache_clear()
    after_the_other = simulate(work, folder)
    assert at_once.image_tokens == 64
    assert at_once.flops == after_the_other.flops
    assert at_once.total == pytest.approx(after_the_other.total, rel=0.001)


def test_results_that_are_made_again_are_torchs_own(qwen, monkeypatch):
    folder, work = qwen
    step._simulated.cache_clear()
    made_again = simulate(work, folder)

    def anew(func, args, kwargs):
        return func(*args, **kwargs), 0

    monkeypatch.setattr(ledger, "made_before", lambda *_: None)
    monkeypatch.setattr(ledger, "run_on_meta", anew)
    step._simulated.cache_clear()
    assert simulate(work, folder) == replace(made_again, flops=0)


def test_the_flash_attn_package_needs_no_mask_and_eager_attention_keeps_its_scores(qwen):
    folder, work = qwen
    padded = replace(work, padded=True, gradient_checkpointing=False)
    needed = {
        kind: simulate(replace(padded, attention=kind), folder).total for kind in ("flash_attention_2", "sdpa", "eager")
    }
    assert needed["flash_attention_2"] < needed["sdpa"] < needed["eager"]


def test_whole_numbers_keep_their_values_among_shapes():
    with ledger.StorageLedger():
        ids = torch.tensor([[3, 1, 3]])
        table = torch.empty(5, 4, device="meta")
        words = torch.nn.functional.embedding(ids.to("meta"), table)
        assert words.is_meta
        assert words[ids == 3].shape == (2, 4)
        assert (ids.to("meta") == 3).sum().item() == 2
