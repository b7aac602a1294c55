"""The settings of the rules: which are run, what they measure against, and which findings stop the run."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from sam2vlm.errors import SettingsError
from sam2vlm.validation.catalog import RULE_IDS
from sam2vlm.validation.label_rules import DEFAULT_NAMES, compiled_names
from sam2vlm.validation.own_rules import RULE_NAME

__all__ = ["Percent", "ValidationSettings"]

Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"unit": "%"})]
Iou = Annotated[float, Field(ge=0, le=1, json_schema_extra={"unit": "IoU"})]
Brightness = Annotated[float, Field(ge=0, le=1, json_schema_extra={"unit": "0 black to 1 white"})]
Ratio = Annotated[float, Field(ge=1, le=1_000_000, json_schema_extra={"unit": "objects to one"})]


class ValidationSettings(BaseModel):
    """What the rules measure against, and which findings stop the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["strict", "standard", "report-only"] = Field(
        default="standard",
        description="What stops the run: strict warnings and errors, standard errors, report-only nothing.",
    )
    rules: tuple[str, ...] = Field(
        default=(),
        description='Rules of your own, as JSON: ["module:rule"], from a module in PYTHONPATH; they are run last.',
    )
    severities: dict[str, Literal["off", "warning", "error"]] = Field(
        default={},
        description=(
            "By rule, as JSON: off leaves the rule out, warning or error makes every finding of it one; docs/rules.md "
            "lists the rules, one of your own goes by its function's name."
        ),
    )
    max_missing_percent: Percent = Field(
        default=20.0, description="Share of frames without annotation up to which each is a warning, not an error."
    )
    max_area_difference_percent: Percent = Field(
        default=1.0, description="How far a stored area may be from its mask's before it is a warning."
    )
    warning_box_iou: Iou = Field(
        default=0.95, description="A stored box that agrees less than this with its mask's box is a warning."
    )
    error_box_iou: Iou = Field(
        default=0.5, description="A stored box that agrees less than this with its mask's box is an error."
    )
    moderate_imbalance: Ratio = Field(
        default=5.0, description="Commonest to rarest label from which the imbalance is a moderate one, a warning."
    )
    severe_imbalance: Ratio = Field(
        default=10.0, description="Commonest to rarest label from which the imbalance is a severe one, a warning."
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
    max_area_percent: Percent = Field(
        default=95.0, description="An object that covers more of its frame than this is an error."
    )
    max_sigmas: float = Field(
        default=5.0,
        gt=0,
        le=1000,
        description="An object further than this from the mean size of its label is a warning.",
        json_schema_extra={"unit": "standard deviations"},
    )
    max_outside_percent: Percent = Field(
        default=5.0, description="More of a mask than this outside of its largest part is a warning."
    )
    max_overlap_iou: Iou = Field(
        default=0.8, description="Two objects of one frame whose masks agree more than this are a warning."
    )
    min_crossing: float = Field(
        default=0.2,
        ge=0,
        le=2,
        description=(
            "Two objects that fit each other's masks of the frame before better than their own by more than this, in "
            "the sum of both, are a warning."
        ),
        json_schema_extra={"unit": "IoU"},
    )
    max_gap_frames: int = Field(
        default=2,
        ge=1,
        le=1000,
        description="An object that is absent for at most this long between two presences is a warning.",
        json_schema_extra={"unit": "annotated frames"},
    )
    max_area_ratio: float = Field(
        default=3.0,
        ge=1,
        le=1_000_000,
        description="An area that changes by more than this from one frame to the next is a warning.",
        json_schema_extra={"unit": "times"},
    )
    min_aligned_iou: Iou = Field(
        default=0.3,
        description="A shape that agrees less than this with the frame before's, moved onto it, is a warning.",
    )
    min_edit_length: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Labels of at least this length that differ by one letter are a warning.",
        json_schema_extra={"unit": "letters"},
    )
    default_names: str = Field(
        default=DEFAULT_NAMES,
        description="Labels that this regular expression matches as a whole, in any letter case, are a tool's own.",
    )
    min_high_brightness: Brightness = Field(
        default=0.32, description="A picture that is darker than this in 99 % of its pixels is a warning."
    )
    max_low_brightness: Brightness = Field(
        default=0.95, description="A picture that is brighter than this in 95 % of its pixels is a warning."
    )
    min_entropy_bits: float = Field(
        default=3.0,
        ge=0,
        le=8,
        description="A picture whose brightness has less entropy than this is a warning.",
        json_schema_extra={"unit": "bits"},
    )
    min_sharpness_ratio: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="A picture that is less sharp than this, compared with its video's median, is a warning.",
        json_schema_extra={"unit": "share of the median"},
    )
    max_pictures: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="So many pictures are searched for painted contours, evenly spread.",
        json_schema_extra={"unit": "pictures"},
    )
    max_painted_percent: Percent = Field(
        default=5.0, description="Share of them that may look painted before each is an error, not a warning."
    )
    max_distance: int = Field(
        default=4,
        ge=0,
        le=16,
        description="Pictures whose 64-bit perceptual hashes differ in at most so many bits are near-copies.",
        json_schema_extra={"unit": "bits"},
    )

    @field_validator("rules")
    @classmethod
    def _named(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if RULE_NAME.fullmatch(name) is None:
                raise ValueError(f"{name} is no name of a rule, as module:rule")
        short = [name.partition(":")[2] for name in names]
        for name in short:
            if short.count(name) > 1 or name in RULE_IDS:
                raise ValueError(f"there is another rule called {name}")
        return names

    @field_validator("severities")
    @classmethod
    def _known(cls, severities: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        known = {*RULE_IDS, *(name.partition(":")[2] for name in info.data.get("rules", ()))}
        for name in severities:
            if name not in known:
                close = difflib.get_close_matches(name, sorted(known), n=1)
                hint = f"did you mean {close[0]}?" if close else "docs/rules.md lists them"
                raise ValueError(f"there is no rule {name}; {hint}")
        return severities

    @field_validator("default_names")
    @classmethod
    def _expression(cls, pattern: str) -> str:
        try:
            compiled_names(pattern)
        except SettingsError as error:
            raise ValueError(f"{error.message}: {error.found}") from None
        return pattern

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.error_box_iou > self.warning_box_iou:
            raise ValueError(f"error_box_iou {self.error_box_iou} is above warning_box_iou {self.warning_box_iou}")
        if self.moderate_imbalance > self.severe_imbalance:
            raise ValueError(
                f"moderate_imbalance {self.moderate_imbalance} is above severe_imbalance {self.severe_imbalance}"
            )
        return self
