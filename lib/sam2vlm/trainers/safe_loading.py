"""DeepSpeed opens its checkpoints as pickles, which may run anything; here they may hold values only."""

from __future__ import annotations

import contextlib
import pickle
from typing import TYPE_CHECKING, Any

import torch

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sam2vlm.checkpoints import Checkpoint

__all__ = ["load_values_only", "naming_the_checkpoint"]


def load_values_only() -> None:
    """Have DeepSpeed load its files by torch's restricted unpickler from now on, in this process.

    Digests do not help against somebody who can write to the volume: the manifest beside the files holds them. What
    DeepSpeed puts into its files beside numbers are four classes of its own that hold numbers in turn; nothing else
    is made, and no function is called.
    """
    from deepspeed.runtime.checkpoint_engine.torch_checkpoint_engine import TorchCheckpointEngine

    TorchCheckpointEngine.load = _load


@contextlib.contextmanager
def naming_the_checkpoint(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what the restricted unpickler refuses into a sentence about the checkpoint.

    Raises:
        DataError: A file of the checkpoint holds something else than values.
    """
    try:
        yield
    except pickle.UnpicklingError as error:
        raise DataError(
            "holds something else than numbers and settings, which a checkpoint of ours never does; remove it",
            source=checkpoint.folder.name,
            found=_what(error),
        ) from None


def _load(_engine: Any, path: str | Path, map_location: Any = None) -> Any:
    from deepspeed.runtime.fp16.loss_scaler import DynamicLossScaler, LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    with torch.serialization.safe_globals([LossScaler, DynamicLossScaler, ZeroStageEnum, fragment_address]):
        return torch.load(path, map_location=map_location, weights_only=True)


def _what(error: pickle.UnpicklingError) -> str:
    """Return the line of torch's long advice that says what was refused."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if "GLOBAL" in line or "Unsupported" in line), lines[0])
