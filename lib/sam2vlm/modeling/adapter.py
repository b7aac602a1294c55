"""A trained adapter on its base, strictly: every weight of the file is in the model, and none came from elsewhere."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

__all__ = ["ADAPTER_WEIGHTS", "load_adapter"]

ADAPTER_WEIGHTS = "adapter_model.safetensors"


def load_adapter(model: PreTrainedModel, folder: Path) -> PeftModel:
    """Put a saved adapter on its base model, for answering.

    PEFT only warns where names do not fit, and the model then answers as if it had never been trained; names did
    change between versions of Transformers. So what arrived in the model is compared with the file.

    Args:
        model: The base.
        folder: In PEFT's layout, weights in safetensors.

    Raises:
        DataError: The folder holds no adapter, or the adapter does not fit the base.
    """
    path = folder / ADAPTER_WEIGHTS
    try:
        # Without this file PEFT would unpickle an adapter_model.bin.
        weights = load_file(path)
        with warnings.catch_warnings():
            # What it warns of is an error below.
            warnings.simplefilter("ignore")
            adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    except FileNotFoundError:
        raise DataError("is missing", source=path, expected="an adapter in PEFT's layout") from None
    except (SafetensorError, ValueError, KeyError, RuntimeError, OSError) as error:
        raise DataError(f"the adapter cannot be loaded: {error}", source=folder) from None
    # Left to itself, PEFT asks the hub whether the base's vocabulary grew.
    _require_equal(path, weights, get_peft_model_state_dict(adapted, save_embedding_layers=False))
    adapted.eval()
    return adapted


def _require_equal(path: Path, saved: dict[str, torch.Tensor], loaded: dict[str, torch.Tensor]) -> None:
    for expected, found, what in ((loaded, saved, "missing"), (saved, loaded, "unexpected")):
        strays = sorted(set(expected) - set(found))
        if strays:
            raise DataError(
                f"{len(strays)} weights of the adapter are {what}, so it does not fit this model",
                source=path,
                found=strays[0],
            )
    for name, weight in saved.items():
        # In the model's own number type: a projector that was trained in 32 bits is rounded where it answers in 16.
        arrived = loaded[name].to("cpu")
        if not torch.equal(weight.to(arrived.dtype), arrived):
            raise DataError("is not what arrived in the model", source=path, field=name)
