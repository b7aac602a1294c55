"""How the work lies on the hardware."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from sam2vlm.config.group import Group, unit

__all__ = ["BUCKET", "SHARDED_WEIGHTS", "Attention", "DeviceConfig", "Liger", "Precision"]

#: ZeRO's stage at which a rank has a share of the weights only.
SHARDED_WEIGHTS = 3
#: Numbers of a gradient bucket. DeepSpeed's default of 5e8 allocates 2 GB in fp32 even for the smallest adapter;
#: an adapter of rank 128 on a 13B model has 5e8 numbers and is sent in ten pieces.
BUCKET = 50_000_000


class Precision(StrEnum):
    """The arithmetic of the forward and backward pass."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    AUTO = "auto"


class Attention(StrEnum):
    """Who computes attention; the names are Transformers' own."""

    SDPA = "sdpa"
    EAGER = "eager"
    FLASH = "flash_attention_2"


class Liger(StrEnum):
    """Whether the liger-kernel package's fused kernels are used."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


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
            "What DeepSpeed shards over the processes: 0 nothing, 1 optimizer, 2 also gradients, 3 also weights, which "
            "each layer's turn gathers."
        ),
        json_schema_extra=unit("stage"),
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice instead of keeping them: less memory, a third slower."
    )
    vision_gradient_checkpointing: bool | None = Field(
        default=None,
        description="The same for the vision tower alone; where left out it does as gradient_checkpointing says.",
    )
    attention: Attention = Field(
        default=Attention.SDPA,
        description=(
            "How attention is computed in training: torch's fused kernels, one step after the other, or the "
            "flash-attn package, which has to be installed and computes in 16 bits on a GPU."
        ),
    )
    liger: Liger = Field(
        default=Liger.AUTO,
        description=(
            "Fused kernels of the liger-kernel package in training: less memory for logits, faster. auto takes them on "
            "a CUDA GPU where the package is installed and knows the model, and says so in the log; on refuses to go "
            "without."
        ),
    )
    offload_optimizer: bool = Field(
        default=False,
        description=(
            "Keep the optimizer's state in the machine's memory instead of the GPU's, and step there; slower. Needs "
            "ZeRO stage 1 or more."
        ),
    )
    offload_parameters: bool = Field(
        default=False,
        description="Keep the sharded weights in the machine's memory as well; slow. Needs ZeRO stage 3.",
    )
    processes_per_node: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Processes that torchrun starts on one machine, one a GPU.",
        json_schema_extra=unit("processes"),
    )
    nodes: int = Field(
        default=1,
        ge=1,
        le=64,
        description=(
            "Machines that train together, each with as many processes; every one needs its number in "
            "JOB_COMPLETION_INDEX, which an Indexed Job sets."
        ),
        json_schema_extra=unit("nodes"),
    )

    @property
    def world_size(self) -> int:
        """Processes of all nodes together."""
        return self.nodes * self.processes_per_node

    @model_validator(mode="after")
    def _only_shards_are_offloaded(self) -> Self:
        if self.offload_optimizer and self.zero_stage == 0:
            raise ValueError(
                "devices.offload_optimizer needs the optimizer sharded by ZeRO; set devices.zero_stage to 1 or 2, or "
                "leave offload_optimizer out"
            )
        if self.offload_parameters and self.zero_stage < SHARDED_WEIGHTS:
            raise ValueError(
                "devices.offload_parameters needs the weights sharded by ZeRO; set devices.zero_stage to 3, or leave "
                "offload_parameters out"
            )
        return self

    @model_validator(mode="after")
    def _flash_attention_has_16_bits(self) -> Self:
        if self.attention is Attention.FLASH and self.precision is Precision.FP32:
            raise ValueError(
                "devices.attention flash_attention_2 computes in 16 bits only; set devices.precision to bf16, or "
                "attention to sdpa"
            )
        return self
