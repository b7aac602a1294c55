"""Libraries tell a full volume in words of their own; here they write to /dev/full, which is one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE

from sam2vlm.errors import InterruptedRunError, from_library_error

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def save_archive():
    torch.save({"weights": torch.zeros(1_000_000)}, FULL)


def save_tokenizer():
    Tokenizer(BPE()).save(str(FULL))


def save_behind_another():
    try:
        FULL.write_text("x" * 100_000)
    except OSError as error:
        raise RuntimeError("could not save") from error


@pytest.mark.parametrize("save", [save_archive, save_tokenizer, save_behind_another])
def test_a_write_that_failed_inside_of_a_library_is_retried(save):
    with pytest.raises(Exception) as caught:  # noqa: PT011  each library has its own
        save()
    found = from_library_error(caught.value, doing="training")
    assert isinstance(found, InterruptedRunError)
    assert "space" in str(found)


def test_safetensors_own_words(tmp_path):
    """It writes beside and renames, so no device takes its place; only a real error has its words."""
    with pytest.raises(Exception, match=r"os error 2\)") as caught:
        save_file({"weights": np.zeros(3)}, tmp_path / "none" / "x.safetensors")
    told = type(caught.value)(str(caught.value).replace("os error 2", "os error 28"))
    assert isinstance(from_library_error(told, doing="training"), InterruptedRunError)
    assert from_library_error(caught.value, doing="training") is None


@pytest.mark.parametrize("error", [KeyError("model"), RuntimeError("PytorchStreamReader failed reading zip archive")])
def test_everything_else_stays_unforeseen(error):
    assert from_library_error(error, doing="training") is None
