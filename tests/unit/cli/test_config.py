"""``sam2vlm config``: what it shows is what a training would be."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from jobs.train.settings import TrainSettings, training_config
from sam2vlm.cli.config import config
from sam2vlm.config import ConfigPresets, TrainingConfig
from sam2vlm.config.differences import differences
from sam2vlm.errors import DataError, SettingsError


def preset(name):
    return ConfigPresets.get(name, data_path="prepare/dataset/train", val_path="prepare/dataset/val")


def run(*arguments):
    result = CliRunner().invoke(config, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", ConfigPresets.names())
def test_show_prints_a_preset_that_reads_back(name):
    assert TrainingConfig.model_validate(json.loads(run("show", name, "--json"))) == preset(name)


def test_show_takes_the_environment_where_nothing_is_named(monkeypatch):
    monkeypatch.setenv("SAM2VLM_PRESET", "quick_test")
    monkeypatch.setenv("SAM2VLM_LORA__RANK", "4")
    shown = TrainingConfig.model_validate(json.loads(run("show", "--json")))
    assert shown == training_config(TrainSettings())
    assert shown.training.lora.rank == 4


def test_the_table_names_value_unit_and_meaning(monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    row = next(line for line in run("show", "production").splitlines() if "training.lora.rank" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "training.lora.rank",
        "64",
        "dimensions",
        "Columns of A and rows of B.",
    ]


def test_diff_names_the_fields_that_differ_and_no_others(tmp_path):
    changed = preset("production").model_dump(mode="json")
    changed["training"]["learning_rate"] = 1e-5
    changed["training"]["lora"]["rank"] = 32
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(changed), encoding="utf-8")
    found = json.loads(run("diff", "production", str(path), "--json"))
    assert found == [
        {"field": "training.learning_rate", "before": 2e-4, "after": 1e-5},
        {"field": "training.lora.rank", "before": 64, "after": 32},
    ]
    assert "are the same" in run("diff", str(path), str(path))


def test_a_group_that_is_missing_on_one_side_differs_in_its_fields():
    with_adapter = preset("production")
    values = with_adapter.model_dump(mode="json")
    values["training"] |= {"method": "full", "lora": None}
    fields = {item.field for item in differences(with_adapter, TrainingConfig.model_validate(values))}
    assert {"training.method", "training.lora.rank", "training.lora.alpha"} <= fields


def test_validate_says_that_it_is_valid_and_why_not(tmp_path):
    assert "demo is valid: tiny-llava, lora, " in run("validate", "demo")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"model": {"name": "tiny-llava"}, "data": {"train_path": "a", "max_length": 1}}))
    with pytest.raises(SettingsError, match=r"data\.max_length"):
        run("validate", str(broken))
    with pytest.raises(DataError, match="cannot be read"):
        run("validate", str(tmp_path / "none.json"))
    with pytest.raises(SettingsError, match="did you mean production"):
        run("validate", "prodction")


def test_show_takes_a_configuration_without_an_adapter(tmp_path):
    values = preset("production").model_dump(mode="json")
    values["training"] |= {"method": "full", "lora": None}
    TrainingConfig.model_validate(values).save_json(tmp_path / "full.json")
    assert "training.lora " in run("show", str(tmp_path / "full.json"))


def test_schema_is_the_models_own():
    assert json.loads(run("schema")) == TrainingConfig.model_json_schema()
