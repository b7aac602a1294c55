"""How a job reads its settings: environment variables over a JSON file over the defaults.

The models live in ``jobs/<phase>/settings.py``. Every model has the fields of :class:`JobSettings` and groups
of its own; ``SAM2VLM_SPLIT__STRATEGY=temporal`` sets ``split.strategy``. ``SAM2VLM_SETTINGS_FILE`` names a JSON
file of the same shape, which may hold the groups of every phase.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from sam2vlm.errors import SettingsError

__all__ = ["ENV_PREFIX", "JobSettings", "load_settings"]

ENV_PREFIX = "SAM2VLM_"
FILE_VARIABLE = "SAM2VLM_SETTINGS_FILE"
# Read by the launcher and the chart, not by a phase.
NOT_SETTINGS = frozenset({FILE_VARIABLE, "SAM2VLM_TERMINATION_LOG"})


class JobSettings(BaseSettings):
    """What every phase takes."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        protected_namespaces=(),
    )

    run: Path = Field(default=Path("runs/default"), description="The run's folder on the volume.")
    experiment: str = Field(
        default="sam2vlm",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="The experiment's name, on reports and on the model card.",
    )
    preset: str = Field(default="demo", description="The training preset; `sam2vlm settings` lists them.")
    seed: int = Field(default=42, ge=0, le=2**32 - 1, description="The seed of every random choice.")
    replace: bool = Field(
        default=False,
        description="Discard a finished phase of other inputs or settings in this run's folder instead of refusing.",
    )

    json_values: ClassVar[dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave .env files and secret folders out: what a run is made of is in its environment or its file."""
        del settings_cls, dotenv_settings, file_secret_settings
        # The JSON file comes in as the initial values, so it has to stand behind the environment.
        return env_settings, init_settings


Model = TypeVar("Model", bound=JobSettings)


def load_settings(model: type[Model], *, known: frozenset[str]) -> Model:
    """Read a job's settings from the environment and from the file that ``SAM2VLM_SETTINGS_FILE`` names.

    Args:
        model: The job's settings model.
        known: The first-level field names of all phases together: the environment of a release is shared, so
            another phase's variable is no mistake here, while an unknown one is.

    Raises:
        SettingsError: An unknown name or an impossible value; one sentence, the variable named.
    """
    _refuse_unknown(known)
    values = {key: value for key, value in _file_values(known).items() if key in model.model_fields}
    try:
        return model(**values)
    except ValidationError as error:
        raise _as_settings_error(error) from None
    except SourceError as error:
        raise SettingsError(str(error), source="environment", expected="JSON for a list or an object") from None


def _refuse_unknown(known: frozenset[str]) -> None:
    for variable in sorted(os.environ):
        if not variable.startswith(ENV_PREFIX) or variable in NOT_SETTINGS:
            continue
        name = variable.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if name not in known:
            raise SettingsError(_unknown(name, known), source=variable)


def _file_values(known: frozenset[str]) -> dict[str, Any]:
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return {}
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("cannot be read", source=path, found=error.strerror) from None
    except ValueError as error:
        raise SettingsError("is not JSON", source=path, found=error) from None
    if not isinstance(values, dict):
        raise SettingsError("wrong shape", source=path, expected="a JSON object", found=type(values).__name__)
    for name in values:
        if name not in known:
            raise SettingsError(_unknown(name, known), source=path, field=name)
    return values


def _unknown(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return "no phase has this setting" + (f"; did you mean {close[0]}?" if close else "; `sam2vlm settings` lists them")


def _as_settings_error(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    variable = ENV_PREFIX + "__".join(path).upper()
    if first["type"] == "extra_forbidden":
        return SettingsError("this group has no such setting; `sam2vlm settings` lists them", source=variable)
    return SettingsError(first["msg"], source=variable, field=".".join(path), found=first["input"])
