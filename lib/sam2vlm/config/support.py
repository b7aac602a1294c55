"""What a configuration may say but this version's trainer cannot do: refused here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.config.device_config import SHARDED_WEIGHTS
from sam2vlm.config.hyperparameters import TrainingMethod
from sam2vlm.config.model_registry import ModelRegistry
from sam2vlm.config.packing import refuse_packing
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["refuse_model", "refuse_unsupported"]


def refuse_unsupported(config: TrainingConfig) -> None:
    """Refuse a configuration that the trainer of this version cannot honour.

    Raises:
        SettingsError: The first reason, with what to choose instead; exit code 78.
    """
    refuse_model(config.model.name)
    refuse_packing(config)
    method = config.training.method
    if method is TrainingMethod.QLORA and config.devices.zero_stage == SHARDED_WEIGHTS:
        raise SettingsError(
            "weights in four bits are not sharded by this version; set devices.zero_stage to 2, or choose lora",
            field="training.method",
            found=f"{method.value} at stage {SHARDED_WEIGHTS}",
        )


def refuse_model(name: str) -> None:
    """Refuse a model that the trainer of this version cannot honour.

    Raises:
        SettingsError: It is unknown, its checkpoint cannot be run any more, or its family is not supported.
    """
    # A checkpoint that is gone has more to say (its successor) than a family that is not supported.
    ModelRegistry.resolve(name)
    entry = ModelRegistry.get(name)
    if entry.refusal is not None:
        trainable = [known for known in ModelRegistry.names() if ModelRegistry.get(known).trainable]
        raise SettingsError(
            f"{entry.refusal}; `sam2vlm models` lists those it does",
            field="model.name",
            expected=f"one of {', '.join(trainable)}",
            found=name,
        )
