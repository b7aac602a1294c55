"""What one training step is, for the plan: the configuration's values that decide memory and operations."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, Self

from sam2vlm.config.device_config import SHARDED_WEIGHTS
from sam2vlm.config.hyperparameters import LoRAConfig, Precision, TrainingMethod
from sam2vlm.config.model_registry import ModelRegistry
from sam2vlm.config.training_config import TEXT_TOKENS
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["Footprint", "Workload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One micro-batch of one process, with the optimizer's step after it.

    Attributes:
        model: The model's name in the registry.
        method: ``lora``, ``qlora`` or ``full``.
        precision: ``bf16``, ``fp16`` or ``fp32``.
        batch_size: Samples in one forward pass.
        tokens: Of each sample, image tokens included; all are planned as long as the longest may be.
        answer_tokens: The columns at a sample's end whose logits are computed; None is all but the image's.
        padded: Whether some samples are shorter and masked, which costs a mask of tokens x tokens.
        picture: Width and height in pixels of each sample's picture; None is one that takes the registered number of
            image tokens.
        max_pixels: Larger pictures are made smaller than this, for families that take a picture at its own size.
        attention: Transformers' name of who computes it: ``sdpa``, ``eager`` or ``flash_attention_2``.
        packed: Whether what is counted as samples are rows of several, with a mask each and as many pictures as fit.
        accumulation: Forward passes before the optimizer moves; from 2 on gradients live through the next pass.
        rank: Of the adapter.
        dropout: On the adapter's input.
        target: Regular expression of the adapted modules; None takes the family's own.
        dora: Train the length of each weight's columns as well.
        vision_tower: Also adapt the vision tower.
        projector: ``frozen``, ``adapted`` or ``trained`` as a whole.
        learning: The parts that method full trains, of ``language_model``, ``projector`` and ``vision_tower``; None
            trains every weight.
        gradient_checkpointing: Compute activations twice instead of keeping them.
        vision_gradient_checkpointing: The same of the vision tower alone; None is as the rest.
        zero_stage: What DeepSpeed shards over the processes: 1 optimizer, 2 also gradients, 3 also weights.
        processes: How many share them.
        offload_optimizer: Keep the optimizer (from stage 2 on also the gradients) in the CPU's memory.
        offload_weights: Keep the weights there; stage 3 only.
        device: ``cuda`` or ``cpu``; decides which attention kernel runs and whether there is a CUDA context.
    """

    model: str
    method: str = "lora"
    precision: str = "bf16"
    batch_size: int = 4
    tokens: int = 2048
    answer_tokens: int | None = None
    padded: bool = True
    picture: tuple[int, int] | None = None
    max_pixels: int = 1_003_520
    attention: str = "sdpa"
    packed: bool = False
    accumulation: int = 1
    rank: int = 64
    dropout: float = 0.05
    target: str | None = None
    dora: bool = False
    vision_tower: bool = False
    projector: Literal["frozen", "adapted", "trained"] = "frozen"
    learning: tuple[str, ...] | None = None
    gradient_checkpointing: bool = True
    vision_gradient_checkpointing: bool | None = None
    zero_stage: int = 0
    processes: int = 1
    offload_optimizer: bool = False
    offload_weights: bool = False
    device: str = "cuda"

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SettingsError: A number below its least, or settings that contradict each other.
        """
        for name, least in (("batch_size", 1), ("tokens", 1), ("accumulation", 1), ("rank", 1), ("processes", 1)):
            if getattr(self, name) < least:
                raise SettingsError("wrong value", field=name, expected=f"at least {least}", found=getattr(self, name))
        if self.picture is not None and min(self.picture) < 1:
            raise SettingsError("wrong value", field="picture", expected="at least 1 x 1", found=self.picture)
        if self.zero_stage not in range(4):
            raise SettingsError("wrong value", field="zero_stage", expected="0 to 3", found=self.zero_stage)
        if self.offload_weights and self.zero_stage != SHARDED_WEIGHTS:
            raise SettingsError("weights can be kept off the GPU only at stage 3", field="offload_weights")
        if self.offload_optimizer and self.zero_stage == 0:
            raise SettingsError("the optimizer can be kept off the GPU from stage 1 on", field="offload_optimizer")

    @classmethod
    def of(cls, config: TrainingConfig, *, device: str = "cuda") -> Self:
        """Return what a configuration asks of one process; ``auto`` is bf16 on a GPU and fp32 on the CPU."""
        training, devices = config.training, config.devices
        # What a change from whole weights to an adapter would come to.
        lora = training.lora or LoRAConfig()
        automatic = "bf16" if device == "cuda" else "fp32"
        return cls(
            model=config.model.name,
            method=training.method.value,
            precision=automatic if devices.precision is Precision.AUTO else devices.precision.value,
            batch_size=training.batch_size,
            tokens=min(config.data.max_length, ModelRegistry.get(config.model.name).max_positions),
            padded=training.batch_size > 1 or training.packing,
            packed=training.packing,
            max_pixels=config.data.max_pixels,
            attention=devices.attention.value,
            accumulation=training.gradient_accumulation_steps,
            rank=lora.rank,
            dropout=lora.dropout,
            target=lora.target_modules,
            dora=lora.dora,
            vision_tower=lora.vision_tower,
            projector=lora.projector.value,
            learning=training.full.parts if training.full else None,
            gradient_checkpointing=devices.gradient_checkpointing,
            vision_gradient_checkpointing=devices.vision_gradient_checkpointing,
            zero_stage=devices.zero_stage,
            processes=devices.world_size,
            offload_optimizer=devices.offload_optimizer,
            offload_weights=devices.offload_parameters,
            device=device,
        )

    def pictures_of(self, tokens: int) -> int:
        """Return how many pictures of so many tokens a sample or row has: in a row as many as fit with little text."""
        return max(1, self.tokens // (tokens + TEXT_TOKENS)) if self.packed else 1

    @property
    def samples(self) -> int:
        """Samples in one forward pass, each with a picture of the registered number of tokens."""
        return self.batch_size * self.pictures_of(ModelRegistry.get(self.model).image_tokens)

    @property
    def adapted(self) -> bool:
        """Whether only an adapter is trained."""
        return self.method != TrainingMethod.FULL.value

    def share(self, part: str) -> float:
        """Return which share of a part one process holds on its GPU.

        ZeRO divides by the number of processes (Rajbhandari et al. 2020, section 5); ZeRO-Offload and ZeRO-Infinity
        move the optimizer, then also the gradients, then the weights off the GPU (Ren et al. 2021, section 3;
        Rajbhandari et al. 2021, section 5).
        """
        divided_from = {"optimizer": 1, "gradients": 2, "weights": 3, "adapter": 3}.get(part)
        if divided_from is None or self.zero_stage < divided_from:
            return 1.0
        offloaded = self.offload_optimizer if part in ("optimizer", "gradients") else self.offload_weights
        return 0.0 if offloaded else 1 / self.processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes on one GPU at the highest moment of a step, by what they belong to, and the operations of a micro-batch.

    Attributes:
        weights: The frozen base, or all weights where they are trained.
        adapter: The adapter's own weights.
        gradients: Of what is trained.
        optimizer: AdamW's momentum and variance, float32 master copies, and what its step needs meanwhile.
        activations: What the forward pass keeps, what is computed again, and what is only passed on.
        logits: The output layer's, their float32 copy and their gradients.
        workspace: The CUDA context, libraries' workspaces, DeepSpeed's buckets and gathered layers.
        flops: Floating-point operations of one micro-batch, forward and backward.
        trained: How many numbers are trained.
        parameters: How many numbers the base has.
        image_tokens: How many of a sample's tokens are its picture's.
    """

    weights: int
    adapter: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    workspace: int
    flops: int
    trained: int
    parameters: int
    image_tokens: int = 0

    @property
    def parts(self) -> dict[str, int]:
        """Bytes by part."""
        counts = ("flops", "trained", "parameters", "image_tokens")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in counts}

    @property
    def total(self) -> int:
        """Bytes on one GPU."""
        return sum(self.parts.values())
