from __future__ import annotations

import pytest
import torch

from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.modeling.source import find_model


@pytest.fixture(scope="session")
def tiny_source():
    return find_model("tiny-llava", checkpoint="package:modeling/tiny_llava")


@pytest.fixture(scope="session")
def processor(tiny_source):
    return load_processor(tiny_source.folder, name="tiny-llava")


@pytest.fixture
def tiny_model(tiny_source):
    return load_model(tiny_source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)


@pytest.fixture(scope="session")
def encoder(processor):
    return Encoder(processor)
