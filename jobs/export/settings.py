"""The export phase's settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from jobs.job_settings import JobSettings

__all__ = ["ExportSettings", "PackagingSettings"]


class PackagingSettings(BaseModel):
    """What is packaged, and how far the reloaded models may be from the trained one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    license: str = Field(
        default="apache-2.0",
        pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$",
        description="The tuned model's licence on the model card, as the hub spells it; the base model's applies too.",
    )
    verify_samples: int = Field(
        default=16,
        ge=1,
        le=100_000,
        description=(
            "Frames of the evaluation whose questions the reloaded models answer again; rounded up to whole batches "
            "of the evaluation, so that the arithmetic is the same."
        ),
        json_schema_extra={"unit": "frames"},
    )
    adapter_text_share: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="Least share of those answers that the reloaded adapter or whole model must give letter by letter.",
        json_schema_extra={"unit": "share"},
    )
    merged_text_share: float = Field(
        default=0.95,
        ge=0.0,
        le=1.0,
        description=(
            "Least share of those answers that the merged model must give letter by letter; merging rounds the "
            "weights once, which can tip a token whose two best candidates are equally likely."
        ),
        json_schema_extra={"unit": "share"},
    )
    logits_tolerance: float = Field(
        default=1e-3,
        gt=0.0,
        le=10.0,
        description=(
            "Largest absolute difference between the merged model's logits and the adapter's, for 32-bit weights; "
            "16-bit weights need about 0.5."
        ),
        json_schema_extra={"unit": "logits"},
    )


class ExportSettings(JobSettings):
    """What ``python -m jobs.export`` takes."""

    packaging: PackagingSettings = Field(
        default=PackagingSettings(),
        description="What is packaged, and how far the reloaded models may be from the trained one.",
    )
    model_folder: Path | None = Field(
        default=None,
        description="The model's files on this machine, in place of the registry's checkpoint for it.",
    )
