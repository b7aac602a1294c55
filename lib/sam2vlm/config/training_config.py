"""What one fine-tuning run is made of, as one frozen document that survives JSON unchanged.

Every field says what it means, in which unit and within which bounds; rules between fields stand on the group
that owns them and say what to change. ``sam2vlm.config.support`` refuses what a configuration may say but this
version cannot do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from sam2vlm.artifacts.atomic import write_json
from sam2vlm.config.hyperparameters import (
    CheckpointConfig,
    DeviceConfig,
    Group,
    LoRAConfig,
    Precision,
    ProjectorTraining,
    Scheduler,
    TrackingConfig,
    TrainingHyperparameters,
    TrainingMethod,
    unit,
)
from sam2vlm.config.model_registry import ModelRegistry, ModelType
from sam2vlm.errors import DataError, SettingsError

__all__ = [
    "CheckpointConfig",
    "DataConfig",
    "DeviceConfig",
    "LoRAConfig",
    "ModelConfig",
    "Precision",
    "ProjectorTraining",
    "Scheduler",
    "TrackingConfig",
    "TrainingConfig",
    "TrainingHyperparameters",
    "TrainingMethod",
    "sentence_of",
]

FORMAT = "sam2vlm.training/1"
#: What an answer and its question need besides the picture; a shorter limit would cut every sample.
TEXT_TOKENS = 64


class ModelConfig(Group):
    """The model to tune."""

    name: str = Field(description="The model's name in the registry; `sam2vlm models` lists them.")
    type: ModelType = Field(description="The model's family; from the registry where left out.")

    @model_validator(mode="before")
    @classmethod
    def _type_from_registry(cls, values: Any) -> Any:
        if isinstance(values, dict) and "type" not in values and isinstance(values.get("name"), str):
            return {**values, "type": ModelRegistry.get(values["name"]).type}
        return values

    @model_validator(mode="after")
    def _known(self) -> Self:
        entry = ModelRegistry.get(self.name)
        if self.type is not entry.type:
            raise ValueError(
                f"{self.name} is of type {entry.type.value}, not {self.type.value}; leave model.type out or correct it"
            )
        return self


class DataConfig(Group):
    """Where the samples are and how long one may be."""

    train_path: str = Field(min_length=1, description="The training samples' dataset.")
    val_path: str | None = Field(
        default=None, min_length=1, description="The validation samples' dataset; None trains without evaluations."
    )
    max_length: int = Field(
        default=2048,
        ge=128,
        le=131_072,
        description="Longest sample with its image tokens; a longer one is an error or a counted drop, never cut.",
        json_schema_extra=unit("tokens"),
    )

    max_pixels: int = Field(
        default=1_003_520,
        ge=3_136,
        le=12_845_056,
        description="Larger pictures are made smaller than this, for families that take a picture at its own size "
        "(Qwen's); others bring every picture to a size of their own.",
        json_schema_extra=unit("pixels"),
    )

    @field_validator("train_path", "val_path", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value.as_posix() if isinstance(value, Path) else value

    @model_validator(mode="after")
    def _held_out(self) -> Self:
        if self.val_path == self.train_path:
            raise ValueError("data.val_path is the training data; point it to samples that are not trained on")
        return self


class TrainingConfig(Group):
    """One fine-tuning run."""

    experiment_name: str = Field(
        default="sam2vlm",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="The experiment's name, on reports and on the model card.",
    )
    seed: int = Field(
        default=42,
        ge=0,
        le=2**32 - 1,
        description="The seed of every random choice.",
        json_schema_extra=unit("any number"),
    )
    model: ModelConfig = Field(description="The model to tune.")
    data: DataConfig = Field(description="Where the samples are and how long one may be.")
    training: TrainingHyperparameters = Field(
        default=TrainingHyperparameters(), description="What is optimized and how."
    )
    devices: DeviceConfig = Field(default=DeviceConfig(), description="How the work lies on the hardware.")
    checkpoints: CheckpointConfig = Field(default=CheckpointConfig(), description="What is kept on the way.")
    tracking: TrackingConfig = Field(default=TrackingConfig(), description="How the run is watched.")

    @model_validator(mode="after")
    def _length_fits_model(self) -> Self:
        entry = ModelRegistry.get(self.model.name)
        least = entry.image_tokens + TEXT_TOKENS
        if self.data.max_length < least:
            raise ValueError(
                f"data.max_length {self.data.max_length} leaves no room beside the {entry.image_tokens} image tokens "
                f"of {self.model.name}; raise it to at least {least}"
            )
        if self.data.max_length > entry.max_positions:
            raise ValueError(
                f"data.max_length {self.data.max_length} is more than the {entry.max_positions} positions of "
                f"{self.model.name}; lower it to that"
            )
        return self

    @model_validator(mode="after")
    def _evaluations_have_data(self) -> Self:
        asked = [name for name in ("eval_every_steps", "early_stopping_patience") if getattr(self.tracking, name)]
        if asked and self.data.val_path is None:
            raise ValueError(f"tracking.{asked[0]} needs validation samples; set data.val_path or leave it out")
        return self

    @property
    def target_modules(self) -> str:
        """The regular expression of the modules to adapt: the configuration's own, or the family's."""
        own = self.training.lora.target_modules if self.training.lora else None
        return own or ModelRegistry.get(self.model.name).lora_target

    def save_json(self, path: Path | str) -> None:
        """Write the configuration as canonical JSON, atomically; equal configurations give equal bytes."""
        write_json(Path(path), {"format": FORMAT, **self.model_dump(mode="json")})

    @classmethod
    def load_json(cls, path: Path | str) -> Self:
        """Read a configuration that :meth:`save_json` wrote, or one written by hand.

        Raises:
            DataError: The file cannot be read or is no JSON object.
            SettingsError: A field is unknown, impossible or contradicts another; the field is named.
        """
        values = _read_object(Path(path))
        stated = values.pop("format", FORMAT)
        if stated != FORMAT:
            raise SettingsError("another version's file", source=path, field="format", expected=FORMAT, found=stated)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise sentence_of(error, source=path) from None


def sentence_of(error: ValidationError, *, source: object) -> SettingsError:
    """Turn the first of pydantic's findings into our one sentence.

    Args:
        error: What pydantic found.
        source: The file or the variable that the values came from.
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return SettingsError("there is no such setting", source=source, field=field)
    shown = None if isinstance(first["input"], dict | BaseModel) else first["input"]
    return SettingsError(message, source=source, field=field, found=shown)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError("cannot be read", source=path, found=error.strerror) from None
    except ValueError as error:
        raise DataError("is not JSON", source=path, found=error) from None
    if not isinstance(values, dict):
        raise DataError("wrong shape", source=path, expected="a JSON object", found=type(values).__name__)
    return values
