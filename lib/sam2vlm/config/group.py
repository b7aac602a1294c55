"""A frozen group of settings, and what its fields say of themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Group", "unit"]


class Group(BaseModel):
    """A frozen group of settings that knows all its names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def unit(name: str) -> dict[str, Any]:
    """Return what a numeric field says about its unit, for the settings table."""
    return {"unit": name}
