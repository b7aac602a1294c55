"""The prepare phase's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.job_settings import JobSettings
from jobs.prepare.report_settings import ReportSettings
from jobs.prepare.source_settings import Places, SourceSettings, Videos
from jobs.prepare.validation_settings import ValidationSettings
from sam2vlm.data_splitter import SplitStrategy

__all__ = [
    "ArchiveSettings",
    "InstructionSettings",
    "OutputSettings",
    "PrepareSettings",
    "SourceSettings",
    "SplitSettings",
    "ValidationSettings",
    "deciding_settings",
]

OutputFormat = Literal["dataset", "llava", "coco", "messages", "yolo"]
MessagesFamily = Literal[
    "llava",
    "llava_next",
    "llava_onevision",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "paligemma",
    "florence2",
    "internvl",
    "instructblip",
    "smolvlm",
    "gemma3",
]
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
        "auto",
        "sam2-demo-1.0.0",
        "logits-column-major",
        "bare-counts",
        "coco-compressed",
        "coco-uncompressed",
        "sa-v",
        "automatic-masks",
        "coco-instances",
        "palette-png",
    ] = Field(
        default="auto",
        description=(
            "How the masks are written, or the export is laid out (docs/exports.md); auto finds out, and refuses where "
            "it cannot."
        ),
    )
    default_label: str = Field(
        default="",
        max_length=100,
        description="What objects are called in dialects without labels (SA-V, automatic masks, palette PNGs).",
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description=(
            "Rate of the frames in dialects without times (automatic masks, COCO instances, palette PNGs); none for 1, "
            "and for 24 with palette PNGs."
        ),
        json_schema_extra={"unit": "frames/s"},
    )


class SplitSettings(_Group):
    """Which frames are trained on, watched while training, and held back for the evaluation."""

    strategy: SplitStrategy = Field(
        default=SplitStrategy.AUTO,
        description=(
            "auto: by where the frames come from, and the report says why; temporal: blocks in time with a gap between"
            " them, right for frames of one video, which are near-copies; stratified: equal shares of every label; "
            "random."
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
    groups: dict[str, str] = Field(
        default={},
        description=(
            "Group of each video, as JSON, by the video's file name or id, for example of one patient or one place; a "
            "group stays whole, in one split, and so does every video without one. Not temporal."
        ),
    )


class OutputSettings(_Group):
    """In which formats the dataset is written."""

    formats: tuple[OutputFormat, ...] = Field(
        default=("dataset", "llava", "coco", "messages"),
        description=(
            "As JSON: dataset (Hugging Face, always needed), llava (JSON lines and pictures), coco (instances), "
            "messages (OpenAI-style JSON lines), yolo (segmentation; costs some milliseconds an object)."
        ),
    )
    messages_family: MessagesFamily = Field(
        default="llava", description="The family of models whose way to write boxes the messages have."
    )

    @model_validator(mode="after")
    def _with_the_dataset(self) -> Self:
        if "dataset" not in self.formats:
            raise ValueError("formats lacks dataset, which the later phases read")
        return self


class InstructionSettings(_Group):
    """What is asked about each frame, and how."""

    weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default={"detect": 2.0, "count": 1.0, "describe": 1.0},
        description=(
            "Weights of detect, count, describe, locate, refer, name, polygon and absent, as JSON; a kind of question "
            "without one, or with 0, is not asked. first_last, intervals and track, about videos, are written apart."
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
    language: str = Field(
        default="en", pattern="^[a-z]{2}$", description="The questions' language: en, zh, or one of the templates' own."
    )
    templates: Path | None = Field(
        default=None,
        description="A JSON file of wordings in place of the package's own; docs/instructions.md has its form.",
    )
    max_same_answer: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Most of one kind's questions that may have the same answer; the others are left out and counted.",
        json_schema_extra={"unit": "share"},
    )
    polygon_points: int = Field(
        default=24, ge=4, le=1000, description="Most points of a polygon.", json_schema_extra={"unit": "points"}
    )
    min_polygon_iou: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="A polygon of so few points that agrees less with its mask is not asked for.",
        json_schema_extra={"unit": "IoU"},
    )
    general_data: Path | None = Field(
        default=None,
        description=(
            "JSON lines of OpenAI-style messages, one picture and one question each, to mix into train against "
            "forgetting; pictures are relative to the file."
        ),
    )
    general_share: float = Field(
        default=0.1,
        ge=0,
        le=0.95,
        description="Share of train's conversations that is taken from general_data, where it has as many.",
        json_schema_extra={"unit": "share"},
    )
    decimals: int = Field(
        default=2,
        ge=1,
        le=6,
        description="Digits of a coordinate in the LLaVA files; the dataset itself keeps pixels.",
        json_schema_extra={"unit": "digits"},
    )


class PrepareSettings(JobSettings):
    """What ``python -m jobs.prepare`` takes."""

    export: Places = Field(
        default=None,
        description=(
            "What to prepare, required: a ZIP archive, its unpacked folder, a folder of exports, a pattern (*, ?, **), "
            "or several of these, joined by colons or as a JSON list."
        ),
    )
    video: Videos = Field(
        default=None,
        description=(
            "The source video, for clean frames, true times and frames without objects; of several exports a JSON "
            "object from the export's path or name, the video's file name, or the video id, to the video."
        ),
    )
    extend: Path | None = Field(
        default=None,
        description=(
            "An earlier run, or its prepare folder, to add the exports to; it stays as it is, and every frame keeps "
            "the split that it has there."
        ),
    )
    sources: SourceSettings = Field(default=SourceSettings(), description="What happens with several exports.")
    archive: ArchiveSettings = Field(default=ArchiveSettings(), description="How the export is read.")
    validation: ValidationSettings = Field(default=ValidationSettings(), description="What the rules measure against.")
    split: SplitSettings = Field(default=SplitSettings(), description="Which frames are used for what.")
    instructions: InstructionSettings = Field(
        default=InstructionSettings(), description="What is asked about each frame."
    )
    outputs: OutputSettings = Field(default=OutputSettings(), description="In which formats the dataset is written.")
    report: ReportSettings = Field(default=ReportSettings(), description="How many pictures report.html holds.")


def deciding_settings(settings: PrepareSettings) -> dict[str, Any]:
    """Return the settings that decide the result, for the manifest; where it lies and who asks do not."""
    return settings.model_dump(
        mode="json",
        include={"sources", "archive", "validation", "split", "instructions", "outputs", "report"},
        # Their content is among the inputs.
        exclude={"instructions": {"templates", "general_data"}},
    )
