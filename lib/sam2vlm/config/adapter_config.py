"""The low-rank adapter's settings: where it lies, how large it is, which variant of LoRA."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from sam2vlm.config.group import Group, unit

__all__ = ["LoRAConfig", "ProjectorTraining"]

#: rsLoRA's scale is 2 with this at rank 64, where LoRA's default is 2 as well.
RSLORA_ALPHA = 16.0


class ProjectorTraining(StrEnum):
    """What becomes of the layers between the vision tower and the language model."""

    FROZEN = "frozen"
    ADAPTED = "adapted"
    TRAINED = "trained"


class LoRAConfig(Group):
    """The low-rank adapter (Hu et al. 2021): W + alpha / rank * B A."""

    rank: int = Field(
        default=64, ge=1, le=1024, description="Columns of A and rows of B.", json_schema_extra=unit("dimensions")
    )
    alpha: float = Field(
        default=128,
        gt=0,
        le=4096,
        description=(
            "Scale of the update, divided by the rank; where left out twice the rank, with rslora 16, which is the "
            "same scale at the default rank of 64."
        ),
        json_schema_extra=unit("factor"),
    )
    dropout: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of the adapter's inputs set to zero.",
        json_schema_extra=unit("share"),
    )
    target_modules: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Regular expression that a module's whole name must match to be adapted; None takes the family's own, "
            "the projections of the language model only."
        ),
    )
    rslora: bool = Field(
        default=False,
        description=(
            "Divide alpha by the square root of the rank (rsLoRA, Kalajdzievski 2023), so that the update does not "
            "shrink as the rank grows."
        ),
    )
    dora: bool = Field(
        default=False,
        description=(
            "Train the length of each weight's columns apart from their direction (DoRA, Liu et al. 2024): a little "
            "better at small ranks, slower, and more memory."
        ),
    )
    vision_tower: bool = Field(
        default=False,
        description="Also adapt the vision tower's linear layers; the preset's target_modules are then not used.",
    )
    projector: ProjectorTraining = Field(
        default=ProjectorTraining.FROZEN,
        description=(
            "The layers between tower and language model: frozen; adapted like the others; or trained whole and "
            "saved with the adapter. Unless frozen, the preset's target_modules are not used."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _alpha_by_rank(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "alpha" in values:
            return values
        if values.get("rslora") is True:
            return {**values, "alpha": RSLORA_ALPHA}
        # Twice the rank, as LLaVA's own LoRA recipe has it (128 and 256).
        return {**values, "alpha": 2 * values["rank"]} if isinstance(values.get("rank"), int) else values

    @model_validator(mode="after")
    def _parts_are_named_once(self) -> Self:
        named = [
            f"lora.{name}"
            for name, chosen in (
                ("vision_tower", self.vision_tower),
                ("projector", self.projector is not ProjectorTraining.FROZEN),
            )
            if chosen
        ]
        if self.target_modules is not None and named:
            raise ValueError(
                f"lora.target_modules already says what is adapted, beside {' and '.join(named)}; leave one of them out"
            )
        return self

    @field_validator("target_modules")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"lora.target_modules is no regular expression: {error}") from None
        return value
