"""The presets: the specification's figures, and names that are nearly right."""

from __future__ import annotations

from importlib.resources import files

import pytest

from sam2vlm.config import ConfigPresets, TrainingConfig, TrainingMethod
from sam2vlm.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "figures", "model", "method"),
    [
        ("quick_test", {"num_epochs": 1, "rank": 8}, "liuhaotian/llava-v1.5-7b", TrainingMethod.LORA),
        ("development", {"num_epochs": 3, "rank": 32}, "liuhaotian/llava-v1.5-7b", TrainingMethod.LORA),
        ("production", {"num_epochs": 5, "rank": 64}, "liuhaotian/llava-v1.5-7b", TrainingMethod.LORA),
        ("memory_efficient", {"rank": 16, "batch_size": 1}, "liuhaotian/llava-v1.5-7b", TrainingMethod.LORA),
        ("high_quality", {"rank": 128}, "liuhaotian/llava-v1.5-13b", TrainingMethod.LORA),
        ("ultra_low_memory", {"rank": 8, "batch_size": 1}, "liuhaotian/llava-v1.5-7b", TrainingMethod.QLORA),
        ("demo", {"rank": 16, "batch_size": 16}, "tiny-llava", TrainingMethod.LORA),
    ],
)
def test_presets_have_the_specifications_figures(name, figures, model, method):
    preset = getattr(ConfigPresets, name)(data_path="data/train", val_path="data/val")
    assert isinstance(preset, TrainingConfig)
    assert preset == ConfigPresets.get(name, data_path="data/train", val_path="data/val")
    assert (preset.data.train_path, preset.data.val_path) == ("data/train", "data/val")
    assert figures.items() <= {**preset.training.model_dump(), "rank": preset.training.lora.rank}.items()
    assert preset.model.name == model
    assert preset.training.method is method


def test_demo_learns_at_the_rate_that_was_measured():
    # vlm-families: r 16, lr 4e-3, batch 16 taught the tiny model four classes.
    assert ConfigPresets.demo(data_path="a").training.learning_rate == 4e-3


def test_every_preset_file_is_a_preset_and_every_preset_has_a_file():
    folder = files("sam2vlm.config").joinpath("presets")
    assert sorted(item.name for item in folder.iterdir()) == sorted(f"{name}.json" for name in ConfigPresets.names())


def test_without_validation_samples_nothing_stops_early():
    assert ConfigPresets.production(data_path="a", val_path="b").tracking.early_stopping_patience > 0
    assert ConfigPresets.production(data_path="a").tracking.early_stopping_patience == 0


def test_paths_may_be_path_objects(tmp_path):
    assert ConfigPresets.quick_test(data_path=tmp_path).data.train_path == tmp_path.as_posix()


@pytest.mark.parametrize(
    ("asked", "meant"), [("quick-test", "quick_test"), ("Production", "production"), ("dev", "development")]
)
def test_a_name_that_is_nearly_right_is_refused_with_the_right_one(asked, meant):
    with pytest.raises(SettingsError, match=f"did you mean {meant}") as caught:
        ConfigPresets.get(asked, data_path="a")
    assert caught.value.exit_code == 78


def test_callers_own_the_values_that_they_get():
    ConfigPresets.values("demo")["training"]["lora"]["rank"] = 999
    assert ConfigPresets.values("demo")["training"]["lora"]["rank"] == 16
