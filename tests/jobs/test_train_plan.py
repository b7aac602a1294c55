"""The plan as the train phase's first word."""

from __future__ import annotations

import json

import pytest

from jobs.train.plan import Card, plan_before_loading, refuse_what_cannot_fit, visible_card
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


def test_the_plan_is_one_event_before_anything_is_loaded(capsys):
    configure_logging("train")
    plan_before_loading(CONFIG, Card("x", 8 * GB), precision="fp32", model_folder=FOLDER, force=False)
    (event,) = [json.loads(told) for told in capsys.readouterr().out.splitlines()]
    assert (event["event"], event["gpu"], event["gpu_gb"]) == ("plan", "x", 8.0)
    assert event["total_gb"] == pytest.approx(sum(event[f"{part}_gb"] for part in PARTS), abs=0.005)
    # Of 2,604,512 numbers in float32.
    assert event["weights_gb"] == pytest.approx(2604512 * 4 / 1e9, abs=0.001)


def test_a_small_card_is_refused_by_the_plan_and_used_by_force():
    with pytest.raises(SettingsError, match=r"at most 0\.5 GB on x"):
        plan_before_loading(CONFIG, Card("x", GB // 2), precision="fp32", model_folder=FOLDER, force=False)
    plan_before_loading(CONFIG, Card("x", GB // 2), precision="fp32", model_folder=FOLDER, force=True)


def test_another_kind_of_model_is_told_as_loading_would(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    with pytest.raises(SettingsError, match="is not a vision-language model"):
        plan_before_loading(CONFIG, Card("x", GB), precision="fp32", model_folder=tmp_path, force=False)


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a card")
def test_the_cpu_has_no_card_and_so_no_plan():
    assert visible_card() is None
