"""What the tests of the tiny model share: its folder, and the model loaded once."""

from pathlib import Path

import pytest
import torch
from transformers import AutoProcessor, LlavaForConditionalGeneration

FOLDER = Path(__file__).parents[2] / "lib/sam2vlm/modeling/tiny_llava"


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder():
    return FOLDER


@pytest.fixture(scope="session")
def processor():
    return AutoProcessor.from_pretrained(FOLDER)


@pytest.fixture(scope="session")
def loaded():
    return LlavaForConditionalGeneration.from_pretrained(FOLDER, output_loading_info=True)
