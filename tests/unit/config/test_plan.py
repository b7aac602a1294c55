"""What follows from a footprint: does it fit, the largest batch, the cheapest change, the time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.config import ConfigPresets, LoRAConfig
from sam2vlm.config.gpus import Gpu, find_gpu, gpus
from sam2vlm.config.plan import cheapest_change, largest_micro_batch, make_plan
from sam2vlm.config.workload import Footprint, Workload
from sam2vlm.errors import SettingsError

LLAVA = "liuhaotian/llava-v1.5-7b"
WORK = Workload(model=LLAVA, batch_size=8, tokens=2048, gradient_checkpointing=False, accumulation=2)
GB = 10**9


def line(workload, fixed=14 * GB, sample=GB):
    """A model whose memory is easy to count: 1 GB a sample of 2048 tokens, a quarter of that checkpointed."""
    each = sample * workload.tokens // 2048 // (4 if workload.gradient_checkpointing else 1)
    return Footprint(
        weights=fixed, adapter=0, gradients=0, optimizer=0, activations=each * workload.batch_size, logits=0,
        workspace=0, flops=10**12 * workload.batch_size, trained=1, parameters=7 * GB,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 64), st.integers(0, 60), st.integers(1, 40))
def test_the_largest_batch_is_the_one_that_counting_finds(start, room, sample):
    def simulate(workload):
        # Not quite a straight line, as padding and the loss make it.
        return line(workload, fixed=GB, sample=sample * GB // 10 + (workload.batch_size // 3) * 10**6)

    usable = GB * (1 + room / 3)
    counted = max(
        (size for size in range(300) if simulate(replace(WORK, batch_size=size or 1)).total <= usable), default=0
    )
    found = largest_micro_batch(replace(WORK, batch_size=start), simulate=simulate, usable=usable)
    assert found == (counted if simulate(replace(WORK, batch_size=1)).total <= usable else 0)


def test_a_search_needs_few_simulations():
    asked = []

    def simulate(workload):
        asked.append(workload.batch_size)
        return line(workload)

    assert largest_micro_batch(WORK, simulate=simulate, usable=114 * GB) == 100
    assert len(set(asked)) <= 4


@pytest.mark.parametrize(
    ("usable", "settings_", "total"),
    [
        # 14 + 4 = 18 GB with four samples, and as many in a step as before: 8 x 2 = 4 x 4.
        (18.5, {"training.batch_size": 4, "training.gradient_accumulation_steps": 4}, 18),
        (15, {"training.batch_size": 1, "training.gradient_accumulation_steps": 16}, 15),
        # Not even one sample without checkpointing; two with it.
        (
            14.6,
            {
                "devices.gradient_checkpointing": True,
                "training.batch_size": 2,
                "training.gradient_accumulation_steps": 8,
            },
            14.5,
        ),
    ],
)  # fmt: skip
def test_the_cheapest_change_comes_first(usable, settings_, total):
    change = cheapest_change(WORK, simulate=line, usable=usable * GB)
    assert change.settings == settings_
    assert change.total_bytes == total * GB


def test_samples_are_left_out_only_where_nothing_else_helps():
    change = cheapest_change(replace(WORK, batch_size=1), simulate=line, usable=14.2 * GB)
    assert change.settings == {
        "devices.gradient_checkpointing": True,
        "training.method": "qlora",
        "data.max_length": 1024,
    }
    assert cheapest_change(WORK, simulate=line, usable=13 * GB) is None


def test_whole_weights_that_do_not_fit_become_an_adapter_of_the_usual_rank():
    config = ConfigPresets.get("demo", data_path="a")
    values = config.model_dump(mode="json")
    values["training"] |= {"method": "full", "lora": None, "full": {"projector": False}, "batch_size": 1}
    work = Workload.of(type(config).model_validate(values))
    assert (work.method, work.learning) == ("full", ("language_model",))
    tried = []

    def simulate(workload):
        tried.append(workload)
        return line(workload, fixed=14 * GB if workload.adapted else 100 * GB)

    change = cheapest_change(work, simulate=simulate, usable=20 * GB)
    assert change.settings == {"devices.gradient_checkpointing": True, "training.method": "lora"}
    assert (tried[-1].rank, tried[-1].learning) == (LoRAConfig().rank, None)


def test_time_is_operations_by_the_stated_peak_and_the_assumed_share():
    card = Gpu(name="x", memory_gb=80, peak_tflops={"bf16": 100}, source="a test")
    plan = make_plan(WORK, simulate=line, gpu=card)
    # 8 samples of 10^12 operations at 40 x 10^12 a second: 40 samples a second.
    assert plan.samples_per_second == pytest.approx(40)
    assert (plan.fits, plan.change) == (True, None)
    assert plan.largest_batch == 58  # (0.9 * 80 - 14) / 1
    assert plan.as_json()["bytes"]["total"] == 22 * GB
    assert make_plan(WORK, simulate=line).fitting[0] == "A100-40GB"


def test_a_card_without_the_arithmetic_is_refused():
    with pytest.raises(SettingsError, match=r"T4 has no bf16.*fp16 or fp32"):
        make_plan(WORK, simulate=line, gpu=find_gpu("t4"))


@pytest.mark.parametrize(
    "name", [*(gpu.name for gpu in gpus()), "rtx4090", "NVIDIA H200", "a100 80gb", "nvidia geforce rtx 3090"]
)
def test_cards_are_found_by_their_names(name):
    assert find_gpu(name).memory_gb >= 8


@pytest.mark.parametrize(
    ("name", "says"), [("a100", "A100-40GB or A100-80GB"), ("L40", None), ("4090ti", "memory-gb"), ("", "known are")]
)
def test_unknown_cards_are_refused_with_the_nearest(name, says):
    if says is None:
        assert find_gpu(name).name == "L40S"
        return
    with pytest.raises(SettingsError, match=says):
        find_gpu(name)


@pytest.mark.parametrize(
    ("stage", "offload", "optimizer", "gradients", "weights"),
    [
        (0, False, 1, 1, 1),
        (1, False, 1 / 8, 1, 1),
        (2, False, 1 / 8, 1 / 8, 1),
        (3, False, 1 / 8, 1 / 8, 1 / 8),
        (2, True, 0, 0, 1),
    ],
)
def test_stages_divide_what_the_papers_say(stage, offload, optimizer, gradients, weights):
    work = replace(WORK, zero_stage=stage, processes=8, offload_optimizer=offload)
    assert [work.share(part) for part in ("optimizer", "gradients", "weights")] == [optimizer, gradients, weights]
    assert work.share("activations") == 1


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"zero_stage": 4}, {"offload_weights": True}, {"offload_optimizer": True}]
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(SettingsError):
        replace(WORK, **wrong)


def test_a_preset_says_what_it_asks_for():
    work = Workload.of(ConfigPresets.get("production", data_path="train"))
    assert (work.model, work.method, work.precision, work.batch_size, work.tokens, work.rank) == (
        LLAVA, "lora", "bf16", 4, 2048, 64,
    )  # fmt: skip
    assert Workload.of(ConfigPresets.get("demo", data_path="train"), device="cpu").precision == "fp32"


def test_four_bits_are_never_proposed_with_sharded_weights():
    def four_bits_only(workload):
        return line(workload, fixed=4 * GB if workload.method == "qlora" else 40 * GB)

    change = cheapest_change(replace(WORK, processes=2), simulate=four_bits_only, usable=14 * GB)
    assert change.settings["training.method"] == "qlora"
    assert change.settings["devices.zero_stage"] == 2
