"""The plan as the train phase's first word."""

from __future__ import annotations

import json

import pytest

from jobs.train.plan import Card, plan_before_loading, questions_of, refuse_what_cannot_fit, visible_card
from sam2vlm.artifacts import Counts, RunLayout, open_phase
from sam2vlm.config import ConfigPresets
from sam2vlm.errors import SettingsError
from sam2vlm.logs import configure_logging
from sam2vlm.modeling.source import find_model

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
GB = 10**9


def test_what_cannot_fit_is_refused_with_the_way_out():
    with pytest.raises(
        SettingsError, match=r"cannot fit this GPU.*FORCE_PLAN=true.*at most 8.0 GB on x; found 20.0 GB"
    ) as told:
        refuse_what_cannot_fit(20 * GB, Card("x", 8 * GB), force=False)
    assert told.value.exit_code == 78


def test_what_fits_or_is_forced_goes_on():
    refuse_what_cannot_fit(8 * GB, Card("x", 8 * GB), force=False)
    refuse_what_cannot_fit(20 * GB, Card("x", 8 * GB), force=True)


FOLDER = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder
CONFIG = ConfigPresets.demo("train", "val")
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits", "workspace")


def told_plan(capsys, card, *, config=CONFIG, precision="fp32", questions=None, folder=FOLDER, force=False):
    """The one event."""
    configure_logging("train")
    plan_before_loading(config, card, precision=precision, model_folder=folder, questions=questions, force=force)
    (event,) = [json.loads(told) for told in capsys.readouterr().out.splitlines()]
    assert event["event"] == "plan"
    return event


def test_the_plan_is_one_event_before_anything_is_loaded(capsys):
    event = told_plan(capsys, Card("x", 8 * GB))
    assert (event["gpu"], event["gpu_gb"], event["fits"]) == ("x", 8.0, True)
    assert event["total_gb"] == pytest.approx(sum(event[f"{part}_gb"] for part in PARTS), abs=0.005)
    # Of 2,604,512 numbers in float32.
    assert event["weights_gb"] == pytest.approx(2604512 * 4 / 1e9, abs=0.001)


def test_on_the_cpu_it_says_what_is_needed_and_holds_it_against_nothing(capsys):
    event = told_plan(capsys, None)
    assert (event["gpu"], event["gpu_gb"], event["fits"], event["hours"]) == (None, None, None, None)
    # No CUDA context is there.
    assert event["workspace_gb"] == 0
    assert event["total_gb"] > 0.1


def test_the_time_is_that_of_all_questions_at_the_assumed_efficiency(capsys):
    # An L4 has 121 TFLOP/s in bf16, of which 40 % are assumed; 16 samples are one micro-batch.
    event = told_plan(capsys, Card("NVIDIA L4", 24 * GB), precision="bf16", questions=1_600_000_000)
    assert event["hours"] == pytest.approx(3 * 1e8 * event["flops"] / (0.4 * 121e12) / 3600, rel=1e-3)
    alone = event["hours"]
    config = CONFIG.model_copy(update={"devices": CONFIG.devices.model_copy(update={"nodes": 4})})
    event = told_plan(capsys, Card("NVIDIA L4", 24 * GB), config=config, precision="bf16", questions=1_600_000_000)
    assert (event["nodes"], event["processes"]) == (4, 4)
    assert event["hours"] == pytest.approx(alone / 4, rel=1e-3)


@pytest.mark.parametrize(
    ("card", "questions"), [(Card("a card of nobody's", 8 * GB), 10), (Card("NVIDIA L4", 24 * GB), None)]
)
def test_without_a_known_card_or_number_no_time_is_told(capsys, card, questions):
    assert told_plan(capsys, card, precision="bf16", questions=questions)["hours"] is None


def test_a_small_card_is_refused_by_the_plan_and_used_by_force(capsys):
    with pytest.raises(SettingsError, match=r"at most 0\.5 GB on x"):
        told_plan(capsys, Card("x", GB // 2))
    (event,) = [json.loads(told) for told in capsys.readouterr().out.splitlines()]
    assert (event["event"], event["fits"]) == ("plan", False)
    plan_before_loading(CONFIG, Card("x", GB // 2), precision="fp32", model_folder=FOLDER, questions=None, force=True)


def test_another_kind_of_model_is_told_as_loading_would(capsys, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    with pytest.raises(SettingsError, match="is not a vision-language model"):
        told_plan(capsys, Card("x", GB), folder=tmp_path)


def test_the_questions_of_an_epoch_are_those_that_prepare_has_counted(tmp_path):
    layout = RunLayout(tmp_path)
    asked = {"detect": 40, "count": 20, "polygon": 9}
    with open_phase(layout, "prepare", inputs={}, settings={}, seed=0) as phase:
        facts = {"splits": {"train": {"instructions": asked}, "val": {"instructions": {"detect": 5}}}}
        phase.finish(counts=Counts(seen=1, kept=1), facts=facts)
    assert questions_of(layout, ["detect", "count", "name"]) == 60
    assert questions_of(RunLayout(tmp_path / "nothing"), ["detect"]) is None


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a card")
def test_the_cpu_has_no_card():
    assert visible_card() is None
