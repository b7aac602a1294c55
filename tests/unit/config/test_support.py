"""What this version refuses: in one place, with exit code 78 and the way out."""

from __future__ import annotations

import pytest

from sam2vlm.config import ConfigPresets, ModelRegistry, TrainingConfig, refuse_model, refuse_unsupported
from sam2vlm.errors import SettingsError


def config(**changes):
    return TrainingConfig.model_validate(
        {"model": {"name": "tiny-llava"}, "data": {"train_path": "a", "max_length": 512}} | changes
    )


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_can_be_trained_passes(method, stage):
    refuse_unsupported(config(training={"method": method}, devices={"zero_stage": stage}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"training": {"method": "qlora"}, "devices": {"zero_stage": 3}},
            "training.method: .*zero_stage to 2, or choose lora .*found qlora at stage 3",
        ),
    ],
)
def test_what_cannot_is_refused(changes, says):
    with pytest.raises(SettingsError, match=says.replace("expected", r"\(expected")) as caught:
        refuse_unsupported(config(**changes))
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("name", ModelRegistry.names())
def test_each_model_passes_or_is_refused_with_a_reason(name):
    if ModelRegistry.get(name).trainable:
        refuse_model(name)
    else:
        with pytest.raises(SettingsError, match=r"not support the family|no longer runs") as caught:
            refuse_model(name)
        assert caught.value.exit_code == 78


def test_a_model_that_is_gone_is_refused_with_its_successor():
    with pytest.raises(SettingsError, match=r"Qwen/Qwen2\.5-VL-7B-Instruct"):
        refuse_unsupported(config(model={"name": "Qwen/Qwen-VL-Chat"}, data={"train_path": "a"}))


def test_four_bits_pass():
    refuse_unsupported(config(training={"method": "qlora"}, devices={"zero_stage": 2}))
    refuse_unsupported(ConfigPresets.ultra_low_memory(data_path="a"))
