from __future__ import annotations

import pytest
import torch

from jobs.train.model import precision_of
from sam2vlm.config import ConfigPresets, Precision
from sam2vlm.errors import SettingsError


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fp16_without_a_gpu_is_refused_in_a_sentence():
    config = ConfigPresets.get("demo", data_path="train")
    devices = config.devices.model_copy(update={"precision": Precision.FP16})
    with pytest.raises(SettingsError, match=r"devices\.precision: needs a GPU.*fp16"):
        precision_of(config.model_copy(update={"devices": devices}))
