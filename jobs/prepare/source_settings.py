"""The settings that name what is to be prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

__all__ = ["Places", "SourceSettings", "Videos"]


def _json_or_text(value: Any) -> Any:
    """Read JSON where it begins like a list or an object; a path may be any other text, digits alone too."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")) or Path(value).exists():
        return value
    try:
        return json.loads(value)
    except ValueError:
        # "[ab]*.zip" is a pattern.
        return value


# Read by the validator, because a path is no JSON.
Places = Annotated[str | tuple[str, ...] | None, NoDecode, BeforeValidator(_json_or_text)]
Videos = Annotated[str | dict[str, str] | None, NoDecode, BeforeValidator(_json_or_text)]


class SourceSettings(BaseModel):
    """What happens with several exports."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bad: Literal["stop", "skip"] = Field(
        default="stop",
        description=(
            "A bad export among several: stop names it and ends the run; skip leaves it out, and the report and the "
            "manifest say so and why."
        ),
    )
