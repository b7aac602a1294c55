"""The groups of settings that a fine-tuning run varies: optimization, adapter, hardware, checkpoints, tracking.

Every field says what it means, in which unit and within which bounds; rules between a group's fields stand on the
group and say what to change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import Field, model_validator

from sam2vlm.config.adapter_config import LoRAConfig, ProjectorTraining
from sam2vlm.config.device_config import Attention, DeviceConfig, Precision
from sam2vlm.config.full_config import FullConfig
from sam2vlm.config.group import Group, unit

__all__ = [
    "Attention",
    "CheckpointConfig",
    "DeviceConfig",
    "FullConfig",
    "Group",
    "LoRAConfig",
    "Precision",
    "PredictionMoment",
    "ProjectorTraining",
    "Scheduler",
    "TrackingConfig",
    "TrainingHyperparameters",
    "TrainingMethod",
    "unit",
]


class TrainingMethod(StrEnum):
    """Which weights are trained."""

    LORA = "lora"
    QLORA = "qlora"
    FULL = "full"


class Scheduler(StrEnum):
    """How the learning rate goes on after the warm-up; the names are Transformers' own."""

    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant_with_warmup"


class PredictionMoment(StrEnum):
    """When the model is asked about its sample frames."""

    EPOCH = "epoch"
    EVALUATION = "evaluation"


class TrainingHyperparameters(Group):
    """What is optimized and how."""

    method: TrainingMethod = Field(
        default=TrainingMethod.LORA,
        description=(
            "What is trained: an adapter (lora), an adapter on a base held in four bits while training (qlora; "
            "evaluate and export take the whole base), or the weights themselves (full), which makes a whole model. "
            "The presets' learning rates are for adapters; LLaVA-1.5's weights were tuned at 2e-5."
        ),
    )
    learning_rate: float = Field(
        default=2e-4, gt=0, le=1, description="The highest learning rate, of AdamW.", json_schema_extra=unit("per step")
    )
    projector_learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The highest for the projector, adapted or trained whole; learning_rate where left out.",
        json_schema_extra=unit("per step"),
    )
    vision_tower_learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The highest for the vision tower, adapted or trained; learning_rate where left out.",
        json_schema_extra=unit("per step"),
    )
    batch_size: int = Field(
        default=4,
        ge=1,
        le=1024,
        description="Samples in one forward pass of one process; with packing rows of samples.",
        json_schema_extra=unit("samples"),
    )
    gradient_accumulation_steps: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Forward passes before the optimizer moves.",
        json_schema_extra=unit("passes"),
    )
    packing: bool = Field(
        default=False,
        description=(
            "Put several samples into one row of at most max_length tokens, where each sees itself alone: less is "
            "filled up, and a step has more samples. For families where that is exact."
        ),
    )
    num_epochs: float = Field(
        default=3.0, gt=0, le=1000, description="Passes over the training data.", json_schema_extra=unit("epochs")
    )
    warmup_ratio: float = Field(
        default=0.03,
        ge=0,
        lt=1,
        description="Share of all steps over which the learning rate rises.",
        json_schema_extra=unit("share of steps"),
    )
    weight_decay: float = Field(
        default=0.0, ge=0, le=1, description="AdamW's decoupled weight decay.", json_schema_extra=unit("share per step")
    )
    max_grad_norm: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Gradients are scaled down to this norm.",
        json_schema_extra=unit("norm"),
    )
    lr_scheduler: Scheduler = Field(
        default=Scheduler.COSINE, description="How the learning rate goes on after the warm-up."
    )
    neftune_noise_alpha: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description=(
            "Noise on the embeddings of the words while training (NEFTune, Jain et al. 2023, who tried 5, 10 and 15); "
            "0 adds none."
        ),
        json_schema_extra=unit("noise"),
    )
    full: FullConfig | None = Field(
        default=None, description="What method full trains; with its defaults where left out and the method is full."
    )
    lora: LoRAConfig | None = Field(
        default=None, description="The adapter; with its defaults where left out and the method has one."
    )

    @model_validator(mode="before")
    @classmethod
    def _group_by_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name, group = ("full", FullConfig) if values.get("method", "lora") == "full" else ("lora", LoRAConfig)
        return values if values.get(name) is not None else {**values, name: group()}

    @model_validator(mode="after")
    def _adapter_fits_method(self) -> Self:
        if self.method is TrainingMethod.FULL and self.lora is not None:
            raise ValueError(
                "method full trains the weights themselves and has no adapter; leave lora out or use method lora"
            )
        if self.method is not TrainingMethod.FULL and self.full is not None:
            quantized = self.method is TrainingMethod.QLORA
            held = "holds them in four bits, which cannot learn themselves" if quantized else "leaves them frozen"
            raise ValueError(
                f"training.full says which of the base's weights learn, and method {self.method.value} {held}; set "
                "training.method to full, or leave training.full out"
            )
        return self

    @model_validator(mode="after")
    def _rates_have_weights(self) -> Self:
        if self.full is not None:
            for part in ("projector", "vision_tower"):
                if getattr(self, f"{part}_learning_rate") is not None and part not in self.full.parts:
                    raise ValueError(
                        f"training.{part}_learning_rate is for a part that learns; set training.full.{part} to yes, or "
                        "leave the rate out"
                    )
        # An expression of one's own may reach both parts; the trainer refuses the rate where it does not.
        lora = self.lora
        if lora is None or lora.target_modules is not None:
            return self
        if self.projector_learning_rate is not None and lora.projector is ProjectorTraining.FROZEN:
            raise ValueError(
                "training.projector_learning_rate is for a projector that is trained; set lora.projector to adapted or "
                "trained, or leave the rate out"
            )
        if self.vision_tower_learning_rate is not None and not lora.vision_tower:
            raise ValueError(
                "training.vision_tower_learning_rate is for a vision tower that is adapted; set lora.vision_tower, or "
                "leave the rate out"
            )
        return self


class CheckpointConfig(Group):
    """What is kept on the volume on the way."""

    save_every_steps: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Optimizer steps between checkpoints; a killed run repeats at most these.",
        json_schema_extra=unit("steps"),
    )
    keep_newest: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Newest checkpoints that stay on the volume, beside the best.",
        json_schema_extra=unit("checkpoints"),
    )


class TrackingConfig(Group):
    """How the run is watched."""

    logging_every_steps: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Optimizer steps between logged figures.",
        json_schema_extra=unit("steps"),
    )
    eval_every_steps: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Optimizer steps between evaluations of the validation loss; 0 evaluates at each checkpoint.",
        json_schema_extra=unit("steps"),
    )
    early_stopping_patience: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Stop after this many evaluations without a better validation loss; 0 never stops early.",
        json_schema_extra=unit("evaluations"),
    )
    prediction_frames: int = Field(
        default=4,
        ge=0,
        le=64,
        description="Validation frames, drawn by seed and then the same ones each time, that the model is asked about "
        "on the way; its boxes are drawn beside the true ones, for TensorBoard. 0 asks nothing.",
        json_schema_extra=unit("frames"),
    )
    prediction_tokens: int = Field(
        default=128,
        ge=1,
        le=8192,
        description="Longest of these answers; together with the frames it bounds what they cost.",
        json_schema_extra=unit("tokens"),
    )
    predict_at: PredictionMoment = Field(
        default=PredictionMoment.EPOCH,
        description="When they are asked: at the end of every epoch and at the last step, or at every evaluation, that "
        "before the first step included.",
    )
