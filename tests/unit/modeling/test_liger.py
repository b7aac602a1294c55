"""Who gets fused kernels, as far as a machine without a GPU can show it: the choice, not the kernels."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from structlog.testing import capture_logs

from sam2vlm.config.device_config import Liger
from sam2vlm.errors import SettingsError
from sam2vlm.modeling import liger
from sam2vlm.modeling.liger import fuse_kernels, require_kernels

NO_GPU = "fused kernels run on a CUDA GPU, and this machine has none"
NO_PACKAGE = "the liger-kernel package is not installed"


@pytest.fixture
def machine(monkeypatch):
    """A machine with a GPU, with or without the package, which knows some families; what was patched is returned."""

    def has(*, gpu=True, families=()):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(liger, "is_liger_kernel_available", lambda: bool(families))
        known = types.ModuleType("liger_kernel.transformers.monkey_patch")
        known.MODEL_TYPE_TO_APPLY_LIGER_FN = dict.fromkeys(families)
        monkeypatch.setitem(sys.modules, known.__name__, known)
        patched = []
        monkeypatch.setattr(liger, "apply_liger_kernel", lambda model, options: patched.append((model, options)))
        return patched

    return has


def told(model, wish):
    with capture_logs() as events:
        used = fuse_kernels(model, wish)
    return used, [event for event in events if event["event"] == "fused_kernels"]


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ({"gpu": False, "families": ("llava",)}, NO_GPU),
        ({"families": ()}, NO_PACKAGE),
        ({"families": ("qwen2_vl",)}, "the liger-kernel package has no kernels for llava"),
    ],
)
def test_without_them_auto_says_why_and_on_is_refused(machine, tiny_model, there, reason):
    patched = machine(**there)
    used, (event,) = told(tiny_model, Liger.AUTO)
    assert (used, event["used"], event["reason"]) == (False, False, reason)
    with pytest.raises(SettingsError, match=f"{reason}; set it to auto or off") as refused:
        fuse_kernels(tiny_model, Liger.ON)
    assert refused.value.exit_code == 78
    assert patched == []


def test_kernels_of_another_transformers_are_a_reason_too(machine, tiny_model, monkeypatch):
    machine(families=("llava",))

    def outdated(model, options):
        raise ImportError("cannot import name 'X'")

    monkeypatch.setattr(liger, "apply_liger_kernel", outdated)
    used, (event,) = told(tiny_model, Liger.AUTO)
    assert (used, event["used"]) == (False, False)
    assert "does not fit the installed Transformers (cannot import name 'X')" in event["reason"]
    with pytest.raises(SettingsError, match="does not fit the installed Transformers"):
        fuse_kernels(tiny_model, Liger.ON)


@pytest.mark.parametrize("wish", [Liger.AUTO, Liger.ON])
def test_where_all_is_there_the_model_gets_them(machine, tiny_model, wish):
    patched = machine(families=("llava",))
    require_kernels(wish)
    used, (event,) = told(tiny_model, wish)
    assert (used, event["used"], "reason" in event) == (True, True, False)
    assert patched == [(tiny_model, None)]


def test_off_asks_for_nothing(machine, tiny_model):
    patched = machine(families=("llava",))
    assert told(tiny_model, Liger.OFF) == (False, [])
    assert patched == []


def test_what_this_machine_lacks_is_told_before_a_model_is_loaded(machine):
    machine(gpu=False)
    require_kernels(Liger.AUTO)
    require_kernels(Liger.OFF)
    with pytest.raises(SettingsError, match=NO_GPU):
        require_kernels(Liger.ON)
