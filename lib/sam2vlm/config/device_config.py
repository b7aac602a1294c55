"""How the work lies on the hardware."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from sam2vlm.config.group import Group, unit

__all__ = ["DeviceConfig", "Precision"]


class Precision(StrEnum):
    """The arithmetic of the forward and backward pass."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    AUTO = "auto"


class DeviceConfig(Group):
    """How the work lies on the hardware."""

    precision: Precision = Field(
        default=Precision.AUTO,
        description="Arithmetic of both passes; auto is bf16 on a GPU that has it and fp32 elsewhere.",
    )
    zero_stage: int = Field(
        default=0,
        ge=0,
        le=3,
        description=(
            "What DeepSpeed shards over the processes: 0 nothing, 1 optimizer, 2 also gradients; 3, also the weights, "
            "is refused by this version."
        ),
        json_schema_extra=unit("stage"),
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice instead of keeping them: less memory, a third slower."
    )
    processes_per_node: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Processes that torchrun starts on one machine, one a GPU.",
        json_schema_extra=unit("processes"),
    )
