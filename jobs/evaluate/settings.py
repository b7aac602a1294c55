"""The evaluate phase's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.job_settings import JobSettings

__all__ = ["EvaluateSettings", "EvaluationSettings"]


class EvaluationSettings(BaseModel):
    """How the answers are generated and what the report shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Most frames of the test split to evaluate, spread evenly over it; 0 evaluates all.",
        json_schema_extra={"unit": "frames"},
    )
    batch_size: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Questions answered at once; it decides the memory that is needed.",
        json_schema_extra={"unit": "questions"},
    )
    max_new_tokens: int = Field(
        default=256,
        ge=1,
        le=8192,
        description="Longest answer; one that is cut off there is counted and reported.",
        json_schema_extra={"unit": "tokens"},
    )
    pictures: int = Field(
        default=4,
        ge=0,
        le=100,
        description="How many of the best and how many of the worst frames the report shows.",
        json_schema_extra={"unit": "frames"},
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the models run; auto takes CUDA where there is one."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="Arithmetic of the models; auto is bf16 on a GPU that has it and fp32 elsewhere."
    )


class EvaluateSettings(JobSettings):
    """What ``python -m jobs.evaluate`` takes."""

    evaluation: EvaluationSettings = Field(
        default=EvaluationSettings(), description="How the answers are generated and what the report shows."
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=256,
        description="CPU threads of one process; fixed, because sums in another order change the last digits.",
        json_schema_extra={"unit": "threads"},
    )
    model_folder: Path | None = Field(
        default=None,
        description="The model's files on this machine, in place of the registry's checkpoint for it.",
    )
