"""``sam2vlm plan``: what a person and a program are told."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from sam2vlm.cli.plan import plan
from sam2vlm.config import ConfigPresets
from sam2vlm.errors import SettingsError

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")


def run(*arguments):
    app = typer.Typer()
    app.command()(plan)
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


def test_a_program_gets_bytes_and_what_follows():
    told = json.loads(run("demo", "--gpu", "rtx 4090", "--json"))
    assert told["bytes"]["total"] == sum(size for part, size in told["bytes"].items() if part != "total")
    assert told["fits"] is True
    assert told["largest_micro_batch"] >= told["workload"]["batch_size"]
    assert told["gpu"]["source"]
    assert told["refusal"] is None
    assert (told["parameters"], told["assumed_efficiency"]) == (2604512, 0.4)


def test_a_person_reads_parts_card_and_time():
    told = run("demo", "--gpu", "rtx 4090")
    for said in ("activations", "RTX 4090 (24 GB): fits", "Largest micro-batch", "at 40% of 82.6 TFLOP/s"):
        assert said in told
    assert "Fits, with a tenth to spare: RTX 4060" in run("demo")


def test_a_model_takes_the_place_of_the_configurations(tmp_path):
    config = ConfigPresets.get("production", data_path="train")
    short = config.model_copy(update={"data": config.data.model_copy(update={"max_length": 1024})})
    short.save_json(tmp_path / "short.json")
    told = json.loads(run(str(tmp_path / "short.json"), "--model", "tiny-llava", "--json"))
    assert (told["workload"]["model"], told["parameters"]) == ("tiny-llava", 2604512)


def test_a_family_that_cannot_be_simulated_is_told():
    with pytest.raises(SettingsError, match=r"cannot be simulated .*found InstructBlip"):
        run("production", "--model", "Salesforce/instructblip-vicuna-7b")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("demo", "--gpu", "A100-80GB", "--memory-gb", "8"), "one of --gpu and --memory-gb"),
        (("demo", "--gpu", "abacus"), "there is no such card"),
        (("demo", "--picture", "1920"), "picture: is no size .expected width x height, as 1920x1080; found 1920"),
        (("dmo",), "did you mean demo"),
        (("demo", "--model", "tiny-lava"), "tiny-llava"),
        (("production", "--model", "tiny-llava"), "--model: .*more than the 1024 positions"),
    ],
)
def test_a_wrong_word_is_told_before_torch_is_loaded(arguments, says):
    with pytest.raises(SettingsError, match=says):
        run(*arguments)


def test_what_can_be_planned_and_not_trained_is_said(tmp_path):
    config = ConfigPresets.get("demo", data_path="train")
    values = config.model_dump(mode="json")
    values["training"]["method"], values["devices"]["zero_stage"] = "qlora", 3
    type(config).model_validate(values).save_json(tmp_path / "packed.json")
    assert "The train phase would refuse it: training.method: " in run(str(tmp_path / "packed.json"))


def test_whole_weights_are_planned_with_the_parts_that_learn(tmp_path):
    config = ConfigPresets.get("demo", data_path="train")
    values = config.model_dump(mode="json")
    values["training"] |= {"method": "full", "lora": None}
    type(config).model_validate(values).save_json(tmp_path / "whole.json")
    told = json.loads(run(str(tmp_path / "whole.json"), "--json"))
    assert told["refusal"] is None
    assert told["workload"]["learning"] == ["language_model", "projector"]
    assert 0 < told["trained_parameters"] < told["parameters"]


@pytest.mark.integration
def test_a_7b_plan_says_what_would_make_it_fit():
    told = json.loads(run("production", "--memory-gb", "24", "--json"))
    assert told["fits"] is False
    assert 0 < told["largest_micro_batch"] < 4
    assert told["change"]["settings"]["training.batch_size"] == 2
    assert told["bytes"]["weights"] == pytest.approx(2 * 7_063_427_072, rel=0.001)
