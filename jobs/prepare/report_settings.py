"""The settings of the prepare report's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from sam2vlm.validation.html_report import PictureLimits

__all__ = ["ReportSettings"]


class ReportSettings(BaseModel):
    """How many pictures report.html holds; the findings themselves are in report.json always."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures_per_rule: int = Field(
        default=6,
        ge=0,
        le=1000,
        description="Findings of each rule that report.html shows as a picture; 0 draws none.",
        json_schema_extra={"unit": "pictures"},
    )
    picture_width: int = Field(
        default=480,
        ge=160,
        le=1920,
        description="Longer side of a picture in report.html.",
        json_schema_extra={"unit": "pixels"},
    )
    max_picture_bytes: int = Field(
        default=6_000_000,
        ge=0,
        le=10**9,
        description="Most that all pictures of report.html take together; the page itself is a third larger.",
        json_schema_extra={"unit": "bytes"},
    )

    def limits(self) -> PictureLimits:
        """Return them in the form in which the page takes them."""
        # Imported here so that the settings can be listed without what draws pictures.
        from sam2vlm.validation.html_report import PictureLimits

        return PictureLimits(per_rule=self.pictures_per_rule, width=self.picture_width, bytes=self.max_picture_bytes)
