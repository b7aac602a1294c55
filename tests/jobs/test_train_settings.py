"""The train phase's configuration: a preset with the settings over it."""

from __future__ import annotations

import pytest
import structlog

from jobs.train.__main__ import _warn_of_an_adapters_rate
from jobs.train.settings import TrainSettings, training_config
from sam2vlm.config import ConfigPresets, ModelRegistry, Scheduler
from sam2vlm.errors import SettingsError


def settings(**values):
    return TrainSettings.model_validate(values)


@pytest.mark.parametrize("name", ConfigPresets.names())
def test_without_overrides_it_is_the_preset(name):
    preset = ConfigPresets.get(name, data_path="prepare/dataset/train", val_path="prepare/dataset/val")
    made = training_config(settings(preset=name, experiment="first", seed=7))
    assert made == preset.model_copy(update={"experiment_name": "first", "seed": 7})


def test_every_group_can_be_changed_and_the_rest_stays_the_presets():
    made = training_config(
        settings(
            training={"batch_size": 2, "lr_scheduler": "linear"},
            lora={"dropout": 0.1},
            devices={"zero_stage": 2},
            checkpoints={"save_every_steps": 5},
            tracking={"eval_every_steps": 3},
            max_length=256,
        )
    )
    preset = ConfigPresets.demo(data_path="a")
    assert (made.training.batch_size, made.training.lr_scheduler) == (2, Scheduler.LINEAR)
    assert made.training.learning_rate == preset.training.learning_rate
    assert (made.training.lora.rank, made.training.lora.dropout) == (preset.training.lora.rank, 0.1)
    assert (made.devices.zero_stage, made.devices.precision) == (2, preset.devices.precision)
    assert (made.checkpoints.save_every_steps, made.checkpoints.keep_newest) == (5, preset.checkpoints.keep_newest)
    assert made.tracking.eval_every_steps == 3
    assert made.data.max_length == 256


def test_another_rank_takes_its_own_alpha_with_it():
    assert training_config(settings(lora={"rank": 4})).training.lora.alpha == 8
    assert training_config(settings(lora={"rank": 4, "alpha": 3})).training.lora.alpha == 3


def test_chosen_parts_take_the_place_of_the_presets_list_of_modules():
    family = ModelRegistry.get("tiny-llava").lora_target
    assert training_config(settings(lora={"dora": True})).target_modules != family
    for parts in ({"vision_tower": True}, {"projector": "trained"}):
        made = training_config(settings(lora=parts))
        assert (made.training.lora.target_modules, made.target_modules) == (None, family)
    assert training_config(settings(lora={"projector": "frozen"})).target_modules != family
    with pytest.raises(SettingsError, match=r"lora\.vision_tower; leave one of them out"):
        training_config(settings(lora={"vision_tower": True, "target_modules": "a"}))


def test_whole_weights_take_the_place_of_the_presets_adapter():
    made = training_config(settings(training={"method": "full"}))
    assert (made.training.lora, made.training.full.parts) == (None, ("language_model", "projector"))
    made = training_config(settings(training={"method": "full"}, full={"vision_tower": True, "projector": False}))
    assert made.training.full.parts == ("language_model", "vision_tower")


@pytest.mark.parametrize(
    ("training", "warned"),
    [
        ({"method": "full"}, ["learning_rate_of_an_adapter"]),
        ({"method": "full", "learning_rate": 2e-5}, []),
        ({"method": "qlora"}, []),
        ({}, []),
    ],
)
def test_whole_weights_at_the_rate_of_the_presets_adapter_are_warned_of(training, warned):
    chosen = settings(training=training)
    with structlog.testing.capture_logs() as events:
        _warn_of_an_adapters_rate(chosen, training_config(chosen))
    assert [event["event"] for event in events] == warned


def test_a_smaller_model_in_a_presets_place_lowers_its_length_and_an_own_length_is_never_changed():
    assert training_config(settings(preset="production", model="tiny-llava")).data.max_length == 1024
    with pytest.raises(SettingsError, match="1024 positions of tiny-llava; lower it"):
        training_config(settings(preset="production", model="tiny-llava", max_length=2048))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"preset": "prod"}, "preset: there is no such preset; did you mean production"),
        ({"model": "tiny-lava"}, "did you mean tiny-llava"),
        ({"model": "Qwen/Qwen-VL-Chat"}, r"Qwen/Qwen2\.5-VL-7B-Instruct"),
        ({"model": "Salesforce/instructblip-vicuna-7b"}, "does not support the family instructblip"),
        ({"full": {"vision_tower": True}}, "method lora leaves them frozen; set training.method to full"),
        ({"training": {"method": "qlora"}, "full": {"vision_tower": False}}, "holds them in four bits"),
        (
            {"training": {"method": "full"}, "full": {"language_model": False, "projector": False}},
            "leaves nothing to learn",
        ),
        ({"training": {"method": "qlora"}, "devices": {"zero_stage": 3}}, "not sharded by this version"),
        ({"training": {"method": "full"}, "lora": {"rank": 2}}, "has no adapter"),
        ({"model": "liuhaotian/llava-v1.5-7b"}, "576 image tokens .* raise it to at least 640"),
    ],
)
def test_what_cannot_be_trained_ends_with_78_before_anything_is_loaded(values, says):
    with pytest.raises(SettingsError, match=says) as caught:
        training_config(settings(**values))
    assert caught.value.exit_code == 78
