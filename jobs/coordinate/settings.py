"""The coordinator's settings; the chart sets them."""

from __future__ import annotations

import os

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sam2vlm.errors import SettingsError

__all__ = ["CoordinateSettings", "coordinate_settings"]

PREFIX = "SAM2VLM_COORDINATE_"
NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


class CoordinateSettings(BaseSettings):
    """What ``python -m jobs.coordinate`` takes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    release: str = Field(pattern=NAME, max_length=53, description="The Helm release whose Jobs are released.")
    namespace: str = Field(pattern=NAME, max_length=63, description="The release's namespace.")
    resync_seconds: int = Field(
        default=60,
        ge=1,
        le=3600,
        description="Longest wait without looking again.",
        json_schema_extra={"unit": "seconds"},
    )


def coordinate_settings() -> CoordinateSettings:
    """Read the settings from the environment.

    Raises:
        SettingsError: An unknown name, a missing one or an impossible value; one sentence, the variable named.
    """
    known = {f"{PREFIX}{name.upper()}" for name in CoordinateSettings.model_fields}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise SettingsError("the coordinator has no such setting", source=variable)
    try:
        return CoordinateSettings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        found = None if first["type"] == "missing" else first["input"]
        raise SettingsError(first["msg"], source=variable, found=found) from None
