"""The configuration: the specification's example, its bounds, its sentences and its JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sam2vlm.config import (
    DataConfig,
    DeviceConfig,
    LoRAConfig,
    ModelConfig,
    ModelType,
    TrackingConfig,
    TrainingConfig,
    TrainingHyperparameters,
    TrainingMethod,
)
from sam2vlm.errors import DataError, SettingsError

LLAVA = "liuhaotian/llava-v1.5-7b"


def config(**changes):
    values = {
        "model": {"name": LLAVA},
        "data": {"train_path": "data/train", "val_path": "data/val", "max_length": 2048},
        **changes,
    }
    return TrainingConfig.model_validate(values)


def test_the_specifications_example_is_a_configuration():
    built = TrainingConfig(
        model=ModelConfig(name=LLAVA, type="llava"),
        data=DataConfig(train_path="data/train", val_path="data/val", max_length=1024),
        training=TrainingHyperparameters(
            method=TrainingMethod.LORA,
            learning_rate=1e-4,
            batch_size=8,
            gradient_accumulation_steps=2,
            num_epochs=4,
            lora=LoRAConfig(rank=32, alpha=48),
        ),
        experiment_name="first",
    )
    assert built.model.type is ModelType.LLAVA
    assert (built.training.lora.rank, built.training.lora.alpha) == (32, 48)
    assert built.experiment_name == "first"


def test_family_comes_from_the_registry_where_it_is_left_out():
    assert ModelConfig(name="Salesforce/instructblip-vicuna-7b").type is ModelType.INSTRUCTBLIP


def test_alpha_is_twice_the_rank_where_it_is_left_out():
    assert LoRAConfig(rank=12).alpha == 24
    assert LoRAConfig().alpha == 2 * LoRAConfig().rank


def test_a_method_with_an_adapter_gets_its_defaults_and_full_training_has_none():
    assert TrainingHyperparameters().lora == LoRAConfig()
    assert TrainingHyperparameters(method="qlora").lora == LoRAConfig()
    assert TrainingHyperparameters(method=TrainingMethod.FULL).lora is None


def test_full_training_leaves_the_tower_alone_where_nothing_is_said_and_other_methods_have_no_such_parts():
    assert TrainingHyperparameters(method="full").full.parts == ("language_model", "projector")
    assert TrainingHyperparameters(method="full", full={"vision_tower": True}).full.parts[-1] == "vision_tower"
    assert TrainingHyperparameters(method="full", full={"language_model": False}).full.parts == ("projector",)
    assert TrainingHyperparameters().full is None
    rates = {"projector_learning_rate": 1e-3, "vision_tower_learning_rate": 1e-6}
    assert TrainingHyperparameters(method="full", full={"vision_tower": True}, **rates).full is not None


def test_target_modules_are_the_familys_or_the_configurations_own():
    assert re.fullmatch(config().target_modules, "model.language_model.layers.3.self_attn.q_proj")
    own = config(training={"lora": {"rank": 4, "target_modules": r".*\.q_proj"}})
    assert own.target_modules == r".*\.q_proj"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": {"train_path": "a", "val_path": "a"}}, "data.val_path is the training data; point it to"),
        ({"data": {"train_path": "a", "max_length": 600}}, "576 image tokens of .* raise it to at least 640"),
        ({"data": {"train_path": "a", "max_length": 8192}}, "more than the 4096 positions of .* lower it"),
        (
            {"data": {"train_path": "a"}, "tracking": {"early_stopping_patience": 2}},
            "tracking.early_stopping_patience needs validation samples; set data.val_path",
        ),
        (
            {"data": {"train_path": "a"}, "tracking": {"eval_every_steps": 5}},
            "tracking.eval_every_steps needs validation samples",
        ),
        ({"training": {"method": "full", "lora": {"rank": 4}}}, "has no adapter; leave lora out"),
        ({"training": {"lora": {"target_modules": "("}}}, "no regular expression"),
        (
            {"training": {"method": "full", "full": {"language_model": False, "projector": False}}},
            "training.full leaves nothing to learn; set language_model, projector or vision_tower",
        ),
        (
            {"training": {"method": "qlora", "full": {"vision_tower": True}}},
            "method qlora holds them in four bits, which cannot learn themselves; set training.method to full",
        ),
        ({"training": {"full": {}}}, "method lora leaves them frozen; set training.method to full, or leave"),
        (
            {"training": {"method": "full", "vision_tower_learning_rate": 1e-6}},
            "vision_tower_learning_rate is for a part that learns; set training.full.vision_tower to yes",
        ),
        (
            {"training": {"method": "full", "full": {"projector": False}, "projector_learning_rate": 1e-3}},
            "projector_learning_rate is for a part that learns; set training.full.projector to yes",
        ),
        (
            {"model": {"name": LLAVA, "type": "instructblip"}},
            "is of type llava, not instructblip; leave model.type out",
        ),
        ({"training": {"learning_rate": float("nan")}}, "finite"),
        ({"training": {"learning_rate": 0}}, "greater than 0"),
        ({"training": {"batch_size": 0}}, "greater than or equal to 1"),
        ({"training": {"warmup_ratio": 1.0}}, "less than 1"),
        ({"training": {"lora": {"rank": 0}}}, "greater than or equal to 1"),
        ({"experiment_name": "../up"}, "match pattern"),
        ({"experiment": "x"}, "Extra inputs"),
        ({"training": {"epochs": 3}}, "Extra inputs"),
    ],
)
def test_impossible_values_are_told_in_a_sentence(changes, says):
    with pytest.raises(ValidationError, match=says):
        config(**changes)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(SettingsError, match=re.escape(LLAVA)):
        ModelConfig(name="liuhaotian/llava-v1.5-7")


def test_configurations_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        config().seed = 1


def test_every_field_says_what_it_means_and_every_number_its_unit():
    def check(group, above=""):
        for name, info in group.model_fields.items():
            assert info.description, f"{above}{name}"
            kind = info.annotation
            inside = [part for part in getattr(kind, "__args__", (kind,)) if hasattr(part, "model_fields")]
            for part in inside:
                check(part, f"{above}{name}.")
            if kind in (int, float):
                assert (info.json_schema_extra or {}).get("unit"), f"{above}{name}"

    check(TrainingConfig)


@settings(max_examples=50, deadline=None)
@given(
    lora=st.fixed_dictionaries({"rank": st.integers(1, 1024), "alpha": st.floats(0.001, 4096)}),
    rate=st.floats(1e-9, 1.0),
    epochs=st.floats(0.01, 1000),
    seed=st.integers(0, 2**32 - 1),
)
def test_json_brings_back_the_same_configuration(tmp_path_factory, lora, rate, epochs, seed):
    path = tmp_path_factory.getbasetemp() / "config.json"
    training = {"learning_rate": rate, "num_epochs": epochs, "lora": lora}
    first = config(seed=seed, training=training)
    first.save_json(path)
    written = path.read_bytes()
    again = TrainingConfig.load_json(path)
    assert again == first
    again.save_json(path)
    assert path.read_bytes() == written


def test_json_is_sorted_and_holds_every_default(tmp_path):
    config().save_json(tmp_path / "config.json")
    text = (tmp_path / "config.json").read_text()
    values = json.loads(text)
    assert text == json.dumps(values, indent=2, sort_keys=True) + "\n"
    assert values["format"] == "sam2vlm.training/1"
    assert values["tracking"] == TrackingConfig().model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{", DataError, "is not JSON"),
        ("[]", DataError, "expected a JSON object; found list"),
        ('{"format": "sam2vlm.training/2"}', SettingsError, "another version's file"),
        ('{"model": {"name": "tiny-llava"}}', SettingsError, "data: Field required"),
        (
            '{"model": {"name": "tiny-llava"}, "data": {"train_path": "a", "max_length": 512}, "sed": 1}',
            SettingsError,
            "sed: there is no such setting",
        ),
        (
            '{"model": {"name": "tiny-llava"}, "data": {"train_path": "a", "max_length": 12}}',
            SettingsError,
            r"data.max_length: .*128 \(found 12\)",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_sentence_with_its_name(tmp_path, text, error, says):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(error, match=says) as caught:
        TrainingConfig.load_json(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"absent.json: cannot be read"):
        TrainingConfig.load_json(tmp_path / "absent.json")


def test_the_scale_of_rslora_where_alpha_is_left_out_is_that_of_lora_at_the_default_rank():
    chosen = LoRAConfig(rank=256, rslora=True)
    assert chosen.alpha / LoRAConfig().rank ** 0.5 == LoRAConfig().alpha / LoRAConfig().rank == 2
    assert LoRAConfig(rank=256, rslora=True, alpha=3).alpha == 3


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"vision_tower": True}, r"beside lora\.vision_tower; leave one"),
        ({"projector": "trained"}, r"beside lora\.projector; leave one"),
        ({"projector": "adapted", "vision_tower": True}, r"beside lora\.vision_tower and lora\.projector; leave one"),
    ],
)
def test_parts_and_an_expression_of_ones_own_are_not_both_taken(values, says):
    with pytest.raises(ValidationError, match=says):
        LoRAConfig(target_modules="a", **values)


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ({"offload_optimizer": True}, r"set devices\.zero_stage to 1 or 2"),
        ({"offload_parameters": True, "zero_stage": 2}, r"set devices\.zero_stage to 3"),
        ({"attention": "flash_attention_2", "precision": "fp32"}, r"16 bits only; set devices\.precision to bf16"),
    ],
)
def test_hardware_settings_that_contradict_each_other_say_what_to_change(devices, says):
    with pytest.raises(ValidationError, match=says):
        DeviceConfig(**devices)


def test_hardware_settings_that_fit_pass():
    assert DeviceConfig(offload_optimizer=True, zero_stage=1).offload_optimizer
    assert DeviceConfig(attention="flash_attention_2", precision="bf16").attention == "flash_attention_2"


@pytest.mark.parametrize(
    ("rate", "lora", "says"),
    [
        ("projector_learning_rate", {}, r"set lora\.projector to adapted or trained"),
        ("vision_tower_learning_rate", {"projector": "trained"}, r"set lora\.vision_tower"),
    ],
)
def test_a_learning_rate_for_what_is_frozen_is_refused(rate, lora, says):
    with pytest.raises(ValidationError, match=says):
        TrainingHyperparameters(lora=lora, **{rate: 1e-5})


def test_a_learning_rate_for_what_is_trained_passes():
    lora = {"projector": "trained", "vision_tower": True}
    chosen = TrainingHyperparameters(lora=lora, projector_learning_rate=1e-5, vision_tower_learning_rate=1e-6)
    assert (chosen.projector_learning_rate, chosen.vision_tower_learning_rate) == (1e-5, 1e-6)
