"""What a rank loads on its way to the first step, as a real one tells: PYTHONPROFILEIMPORTTIME names every import."""

from __future__ import annotations

import re

import pytest

from jobs.train.launcher import tell_plan
from sam2vlm.modeling.source import find_model
from tests.training_runs import prepared_run, training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
IMPORTED = re.compile(r"^import time:.*\|\s*(\S+)$", re.MULTILINE)


def loaded_for(method, folder, monkeypatch):
    """The modules that a rank has loaded when it has told the plan."""
    layout = prepared_run(folder / "run", train=2, val=1)
    environment = {**training_environment(layout, TRAINING__METHOD=method), "PYTHONPROFILEIMPORTTIME": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder
    told, stderr = folder / "told", folder / "stderr"
    told.mkdir()
    verdict = tell_plan(rank=0, threads=1, scratch=told, stderr=stderr, arguments={"model_folder": str(model)})
    assert verdict.exit_code == 0, verdict
    return set(IMPORTED.findall(stderr.read_text()))


def test_the_plan_of_an_adapter_loads_no_quantization_no_compiler_and_no_scipy(tmp_path, monkeypatch):
    loaded = loaded_for("lora", tmp_path, monkeypatch)
    assert {"peft", "transformers.modeling_utils"} <= loaded
    # Their modules: where a package is hidden, the attempt to load it is told as well.
    assert not [name for name in loaded if name.startswith(("bitsandbytes.", "scipy.", "torch._inductor.compile"))]


def test_the_plan_of_qlora_loads_what_quantizes(tmp_path, monkeypatch):
    assert "bitsandbytes.nn" in loaded_for("qlora", tmp_path, monkeypatch)
