"""What this version refuses: in one place, with exit code 78 and the way out."""

from __future__ import annotations

import pytest

from sam2vlm.config import ConfigPresets, ModelRegistry, TrainingConfig, refuse_model, refuse_unsupported
from sam2vlm.config.packing import PACKED_FAMILIES
from sam2vlm.errors import SettingsError

GEMMA_DATA = {"train_path": "a", "max_length": 512}


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
        (
            {"training": {"packing": True}, "model": {"name": "google/gemma-3-4b-it"}, "data": GEMMA_DATA},
            "training.packing: rows of several samples are not exact for google/gemma-3-4b-it: .*set it to false",
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


@pytest.mark.parametrize("name", [name for name in ModelRegistry.names() if ModelRegistry.get(name).trainable])
def test_packing_is_refused_for_each_family_that_was_not_shown_to_be_exact(name):
    entry = ModelRegistry.get(name)
    data = {"train_path": "a", "max_length": min(entry.max_positions, 131_072)}
    packed = config(model={"name": name}, data=data, training={"packing": True})
    if entry.type in PACKED_FAMILIES:
        refuse_unsupported(packed)
    else:
        with pytest.raises(SettingsError, match="not exact for"):
            refuse_unsupported(packed)


def test_four_bits_pass():
    refuse_unsupported(config(training={"method": "qlora"}, devices={"zero_stage": 2}))
    refuse_unsupported(ConfigPresets.ultra_low_memory(data_path="a"))
