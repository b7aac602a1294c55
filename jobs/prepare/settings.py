"""The prepare phase's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.job_settings import JobSettings
from sam2vlm.data_splitter import SplitStrategy

__all__ = [
    "ArchiveSettings",
    "InstructionSettings",
    "PrepareSettings",
    "SplitSettings",
    "ValidationSettings",
    "deciding_settings",
]

Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"unit": "%"})]
Ratio = Annotated[float, Field(gt=0, lt=1, json_schema_extra={"unit": "share of the frames"})]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArchiveSettings(_Group):
    """How the export is read, and how much of it."""

    max_entries: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Most files and folders in the archive.",
        json_schema_extra={"unit": "entries"},
    )
    max_unpacked_bytes: int = Field(
        default=10_000_000_000,
        ge=1,
        le=10**15,
        description="Most that all entries together may unpack to, counted as it comes out.",
        json_schema_extra={"unit": "bytes"},
    )
    max_ratio: float = Field(
        default=100.0,
        ge=1,
        le=1_000_000,
        description="Most that one entry beyond 1 MiB may grow when unpacked.",
        json_schema_extra={"unit": "unpacked bytes to a packed one"},
    )
    dialect: Literal[
        "auto", "sam2-demo-1.0.0", "logits-column-major", "bare-counts", "coco-compressed", "coco-uncompressed"
    ] = Field(default="auto", description="How the masks are written; auto finds out, and refuses where it cannot.")


class ValidationSettings(_Group):
    """What the six rules measure against, and which findings stop the run."""

    level: Literal["strict", "standard", "report-only"] = Field(
        default="standard",
        description="What stops the run: strict warnings and errors, standard errors, report-only nothing.",
    )
    max_missing_percent: Percent = Field(
        default=20.0, description="Share of frames without annotation up to which each is a warning, not an error."
    )
    max_area_difference_percent: Percent = Field(
        default=1.0, description="How far a stored area may be from its mask's before it is a warning."
    )
    warning_box_iou: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="A stored box that agrees less than this with its mask's box is a warning.",
        json_schema_extra={"unit": "IoU"},
    )
    error_box_iou: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A stored box that agrees less than this with its mask's box is an error.",
        json_schema_extra={"unit": "IoU"},
    )
    moderate_imbalance: float = Field(
        default=5.0,
        ge=1,
        le=1_000_000,
        description="Commonest to rarest label from which the imbalance is a moderate one, a warning.",
        json_schema_extra={"unit": "objects to one"},
    )
    severe_imbalance: float = Field(
        default=10.0,
        ge=1,
        le=1_000_000,
        description="Commonest to rarest label from which the imbalance is a severe one, a warning.",
        json_schema_extra={"unit": "objects to one"},
    )
    min_object_area_percent: Percent = Field(
        default=0.1, description="An object that covers less of its frame than this is a small one."
    )
    max_small_objects_percent: Percent = Field(
        default=5.0, description="More small objects than this share of all is a warning."
    )
    min_objects_per_frame: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Fewer visible objects a frame than this, on average, is a warning.",
        json_schema_extra={"unit": "objects"},
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.error_box_iou > self.warning_box_iou:
            raise ValueError(f"error_box_iou {self.error_box_iou} is above warning_box_iou {self.warning_box_iou}")
        if self.moderate_imbalance > self.severe_imbalance:
            raise ValueError(
                f"moderate_imbalance {self.moderate_imbalance} is above severe_imbalance {self.severe_imbalance}"
            )
        return self


class SplitSettings(_Group):
    """Which frames are trained on, watched while training, and held back for the evaluation."""

    strategy: SplitStrategy = Field(
        default=SplitStrategy.TEMPORAL,
        description=(
            "temporal: blocks in time with a gap between them, right for frames of one video, which are near-copies; "
            "stratified: equal shares of every label; random."
        ),
    )
    train_ratio: Ratio = Field(default=0.8, description="Share to train on; the three add up to 1.")
    val_ratio: Ratio = Field(default=0.1, description="Share to watch while training.")
    test_ratio: Ratio = Field(default=0.1, description="Share to hold back for the evaluation.")
    gap_sec: float = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="Time left out on both sides of every border between splits, temporal only.",
        json_schema_extra={"unit": "s"},
    )
    by_video: bool = Field(
        default=False, description="Keep each video whole, in one split; not temporal, which cuts videos."
    )


class InstructionSettings(_Group):
    """What is asked about each frame, and how."""

    weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default={"detect": 2.0, "count": 1.0, "describe": 1.0},
        description=(
            "Weights of detect, count and describe, as JSON; a kind of question without one, or with 0, is not asked."
        ),
        json_schema_extra={"unit": "relative weight"},
    )
    per_frame: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Questions to each frame; none is asked twice in the same words.",
        json_schema_extra={"unit": "questions"},
    )
    language: str = Field(default="en", pattern="^[a-z]{2}$", description="The questions' language.")
    decimals: int = Field(
        default=2,
        ge=1,
        le=6,
        description="Digits of a coordinate in the LLaVA files; the dataset itself keeps pixels.",
        json_schema_extra={"unit": "digits"},
    )


class PrepareSettings(JobSettings):
    """What ``python -m jobs.prepare`` takes."""

    export: Path | None = Field(
        default=None, description="The export to prepare, a ZIP archive or its unpacked folder; required."
    )
    archive: ArchiveSettings = Field(default=ArchiveSettings(), description="How the export is read.")
    validation: ValidationSettings = Field(default=ValidationSettings(), description="What the rules measure against.")
    split: SplitSettings = Field(default=SplitSettings(), description="Which frames are used for what.")
    instructions: InstructionSettings = Field(
        default=InstructionSettings(), description="What is asked about each frame."
    )


def deciding_settings(settings: PrepareSettings) -> dict[str, Any]:
    """Return the settings that decide the result, for the manifest; where it lies and who asks do not."""
    return settings.model_dump(mode="json", include={"archive", "validation", "split", "instructions"})
