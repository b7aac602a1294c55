"""The train phase's settings: a preset, and what is to be different from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator, Field, ValidationError, field_validator

from jobs.job_settings import ENV_PREFIX, JobSettings, no_repeats
from sam2vlm.config import (
    CheckpointConfig,
    ConfigPresets,
    DeviceConfig,
    FullConfig,
    LoRAConfig,
    ModelRegistry,
    ProjectorTraining,
    TrackingConfig,
    TrainingConfig,
    TrainingHyperparameters,
    refuse_model,
    refuse_unsupported,
    sentence_of,
)
from sam2vlm.config.hyperparameters import Group
from sam2vlm.config.overrides import UNSET, merged, overrides_of

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "CheckpointOverrides",
    "DeviceOverrides",
    "FullOverrides",
    "LoRAOverrides",
    "RendezvousSettings",
    "SampleSettings",
    "TrackingOverrides",
    "TrainSettings",
    "TrainingOverrides",
    "deciding_settings",
    "training_config",
]

# Spelt out, because asking the library would load datasets before a wrong setting is told.
Task = Literal["detect", "count", "describe", "locate", "refer", "name", "polygon", "absent", "general"]
TASKS: tuple[Task, ...] = get_args(Task)
Service = Literal["mlflow", "wandb"]

# Relative to the run's folder: the configuration is written into it and must not know where the volume is mounted.
TRAIN_PATH = "prepare/dataset/train"
VAL_PATH = "prepare/dataset/val"


# The bases are made from the configuration's own fields, so that every description and bound stands in one place;
# mypy cannot follow a base that is computed.
class TrainingOverrides(overrides_of(TrainingHyperparameters, without=("lora", "full"))):  # type: ignore[misc]
    """What is optimized and how, where it differs from the preset."""


class LoRAOverrides(overrides_of(LoRAConfig)):  # type: ignore[misc]  # as above
    """The adapter, where it differs from the preset."""


class FullOverrides(overrides_of(FullConfig)):  # type: ignore[misc]  # as above
    """The parts that method full trains, where they differ from the preset."""


class DeviceOverrides(overrides_of(DeviceConfig)):  # type: ignore[misc]  # as above
    """How the work lies on the hardware, where it differs from the preset."""


class CheckpointOverrides(overrides_of(CheckpointConfig)):  # type: ignore[misc]  # as above
    """What is kept on the way, where it differs from the preset."""


class TrackingOverrides(overrides_of(TrackingConfig)):  # type: ignore[misc]  # as above
    """How the run is watched, where it differs from the preset."""


class SampleSettings(Group):
    """What is made of the dataset's rows."""

    tasks: Annotated[tuple[Task, ...], AfterValidator(no_repeats)] = Field(
        default=TASKS, min_length=1, description="The questions to train on, of those that the dataset holds."
    )
    max_dropped_share: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="Most samples that may be left out for their length; more is an error, fewer are counted.",
        json_schema_extra={"unit": "share"},
    )
    cache_mb: int = Field(
        default=1024,
        ge=0,
        le=1_000_000,
        description="Memory of one process for pictures that are processed once and kept.",
        json_schema_extra={"unit": "MiB"},
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Processes that read pictures beside each training process; 0 reads them in itself.",
        json_schema_extra={"unit": "processes"},
    )


class RendezvousSettings(Group):
    """How several nodes find each other; of no meaning where there is one."""

    host: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Name or address of node 0 as the other nodes reach it; the chart sets it.",
    )
    port: int = Field(
        default=29400,
        ge=1024,
        le=65_534,
        description="Where node 0 listens for the other nodes; torchrun takes the next one.",
        json_schema_extra={"unit": "port"},
    )
    timeout_seconds: int = Field(
        default=900,
        ge=1,
        le=86_400,
        description="How long a node waits for the others before it gives its GPUs back (exit code 69).",
        json_schema_extra={"unit": "s"},
    )

    @field_validator("host")
    @classmethod
    def _can_be_looked_up(cls, value: str | None) -> str | None:
        try:
            (value or "").encode("idna")
        except UnicodeError:
            # What a socket would do with it first, and fail with an error that names neither.
            raise ValueError("is no name or address of a machine: each part between dots has 1 to 63 letters") from None
        return value


class TrainSettings(JobSettings):
    """What ``python -m jobs.train`` takes. None means: from the preset."""

    model: str | None = Field(
        default=None,
        min_length=1,
        description="The model's name in the registry; `sam2vlm models` lists them.",
        json_schema_extra={"unset": UNSET},
    )
    max_length: int | None = Field(
        default=None,
        ge=128,
        le=131_072,
        description=(
            "Longest sample with its image tokens; a longer one is an error or a counted drop, never cut. "
            "A preset's own is lowered to what the chosen model can take."
        ),
        json_schema_extra={"unit": "tokens", "unset": UNSET},
    )
    max_pixels: int | None = Field(
        default=None,
        ge=3_136,
        le=12_845_056,
        description=(
            "Larger pictures are made smaller than this, for families that take a picture at its own size (Qwen's)."
        ),
        json_schema_extra={"unit": "pixels", "unset": UNSET},
    )
    training: TrainingOverrides = Field(default=TrainingOverrides(), description="What is optimized and how.")
    lora: LoRAOverrides = Field(default=LoRAOverrides(), description="The adapter.")
    full: FullOverrides = Field(default=FullOverrides(), description="The parts that method full trains.")
    devices: DeviceOverrides = Field(default=DeviceOverrides(), description="How the work lies on the hardware.")
    checkpoints: CheckpointOverrides = Field(default=CheckpointOverrides(), description="What is kept on the way.")
    tracking: TrackingOverrides = Field(default=TrackingOverrides(), description="How the run is watched.")
    report_to: Annotated[tuple[Service, ...], AfterValidator(no_repeats)] = Field(
        default=(),
        description=(
            "Services that are told beside TensorBoard, as JSON. Where they are and with which key is read from "
            "MLFLOW_TRACKING_URI, WANDB_API_KEY and their other variables (docs/runs.md)."
        ),
    )
    samples: SampleSettings = Field(default=SampleSettings(), description="What is made of the dataset's rows.")
    rendezvous: RendezvousSettings = Field(
        default=RendezvousSettings(), description="How several nodes find each other."
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=256,
        description="CPU threads of one process; fixed, because sums in another order change the last digits.",
        json_schema_extra={"unit": "threads"},
    )
    require_learning: bool = Field(
        default=True,
        description="Fail where the best validation loss is not below the one before the first step.",
    )
    force_plan: bool = Field(default=False, description="Train although the plan says that a step cannot fit this GPU.")
    model_folder: Path | None = Field(
        default=None,
        description="The model's files on this machine, in place of the registry's checkpoint for it.",
    )
    grace_seconds: int = Field(
        default=25,
        ge=1,
        le=3600,
        description="How long after SIGTERM a step and a checkpoint may take; below the pod's grace period.",
        json_schema_extra={"unit": "s"},
    )


def training_config(settings: TrainSettings) -> TrainingConfig:
    """Return the preset's configuration with the settings' own values in place of it.

    The dataset's paths are relative to the run's folder.

    Raises:
        SettingsError: An unknown preset or model, values that contradict each other, or something that this
            version cannot train.
    """
    values = ConfigPresets.values(settings.preset)
    model = settings.model or str(values["model"]["name"])
    # Before its dimensions are held against the other values, which would only be worth telling if it could be trained.
    refuse_model(model)
    values["model"] = {"name": model}
    values["data"] |= {
        "train_path": TRAIN_PATH,
        "val_path": VAL_PATH,
        "max_length": _max_length(settings, int(values["data"]["max_length"]), model),
    }
    if settings.max_pixels is not None:
        values["data"]["max_pixels"] = settings.max_pixels
    values["training"] = _training(values["training"], settings)
    for group in ("devices", "checkpoints", "tracking"):
        values[group] = merged(values[group], getattr(settings, group))
    try:
        config = TrainingConfig.model_validate(
            {**values, "experiment_name": settings.experiment, "seed": settings.seed}
        )
    except ValidationError as error:
        raise sentence_of(error, source=f"{ENV_PREFIX}PRESET={settings.preset} with the settings over it") from None
    refuse_unsupported(config)
    return config


def deciding_settings(settings: TrainSettings, config: TrainingConfig) -> dict[str, Any]:
    """Return the settings that decide the result's bytes, for the manifest and the phase's fingerprint."""
    return {
        **config.model_dump(mode="json", exclude={"seed"}),
        "tasks": list(settings.samples.tasks),
        "max_dropped_share": settings.samples.max_dropped_share,
        "threads": settings.threads,
        "require_learning": settings.require_learning,
    }


def _max_length(settings: TrainSettings, of_preset: int, model: str) -> int:
    if settings.max_length is not None:
        return settings.max_length
    # A preset was written for its own model; a smaller one that is put in its place has fewer positions.
    return min(of_preset, ModelRegistry.get(model).max_positions)


def _training(values: dict[str, Any], settings: TrainSettings) -> dict[str, Any]:
    training = merged(values, settings.training)
    training["lora"] = merged(_adapter_of_preset(values.get("lora") or {}, settings), settings.lora)
    whole = training["method"] == "full"
    if whole and not settings.lora.model_dump(exclude_none=True):
        # The preset's adapter is no wish of the person who asks for another method.
        del training["lora"]
    training["full"] = merged((values.get("full") if whole else None) or {}, settings.full) or None
    return training


def _adapter_of_preset(lora: dict[str, Any], settings: TrainSettings) -> dict[str, Any]:
    own = settings.lora
    # Who chooses parts has chosen against the preset's own list of modules, but for one that is stated beside them.
    chooses_parts = bool(own.vision_tower) or own.projector not in (None, ProjectorTraining.FROZEN)
    return {name: value for name, value in lora.items() if not (chooses_parts and name == "target_modules")}
