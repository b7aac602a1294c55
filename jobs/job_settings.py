"""How a job reads its settings: environment variables over a JSON file over the defaults.

The models live in ``jobs/<phase>/settings.py``. Every model has the fields of :class:`JobSettings` and groups
of its own; ``SAM2VLM_SPLIT__STRATEGY=temporal`` sets ``split.strategy``. ``SAM2VLM_SETTINGS_FILE`` names a JSON
file of the same shape, which may hold the groups of every phase. A numeric field names its unit by
``json_schema_extra={"unit": ...}``; `sam2vlm settings` shows it.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from sam2vlm.errors import SettingsError
from sam2vlm.logs import SECRET_KEYS

__all__ = ["ENV_PREFIX", "JobSettings", "load_settings", "no_repeats"]

ENV_PREFIX = "SAM2VLM_"
NESTED_DELIMITER = "__"
FILE_VARIABLE = "SAM2VLM_SETTINGS_FILE"
# Read by the launcher and the chart, not by a phase.
NOT_SETTINGS = frozenset({FILE_VARIABLE, "SAM2VLM_TERMINATION_LOG"})
LISTED = "`sam2vlm settings` lists them"


class JobSettings(BaseSettings):
    """What every phase takes."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=NESTED_DELIMITER,
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
    preset: str = Field(default="demo", description="The training preset; `sam2vlm presets` lists them.")
    seed: int = Field(
        default=42,
        ge=0,
        le=2**32 - 1,
        description="The seed of every random choice.",
        json_schema_extra={"unit": "any number"},
    )
    replace: bool = Field(
        default=False,
        description="Discard a finished phase of other inputs or settings in this run's folder instead of refusing.",
    )

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
        known: The field names of all phases together, those inside of a group as ``group.name``
            (:func:`jobs.catalog.known_names`): the environment of a release is shared, so another phase's variable
            is no mistake here, while an unknown one is, and is told before the first phase starts to work.

    Raises:
        SettingsError: An unknown name or an impossible value; one sentence, the variable named.
    """
    _refuse_unknown(model, known)
    values = {key: value for key, value in _file_values(known).items() if key in model.model_fields}
    try:
        return model(**values)
    except ValidationError as error:
        raise _as_settings_error(error) from None
    except SourceError as error:
        raise _as_json_error(model, error) from None


def no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that names one thing twice, for pydantic's ``AfterValidator``: which of the two was meant?

    Raises:
        ValueError: It does.
    """
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"names {value} twice; leave one of them out")
    return values


def _refuse_unknown(model: type[JobSettings], known: frozenset[str]) -> None:
    for variable in sorted(os.environ):
        if not variable.upper().startswith(ENV_PREFIX) or variable in NOT_SETTINGS:
            continue
        if variable != variable.upper():
            # The reader below would take any letter case, and so two spellings of one name, without a word.
            raise SettingsError(
                "settings are written in capitals", source=variable, expected=variable.upper(), found=variable
            )
        path = variable.removeprefix(ENV_PREFIX).lower().split(NESTED_DELIMITER)
        name = path[0]
        if len(path) > 1 and name in model.model_fields and not _is_group(model, name):
            raise SettingsError(
                "is a single value, not a group of settings", source=variable, expected=ENV_PREFIX + name.upper()
            )
        _refuse_unknown_path(path, known, source=variable, field=None)


def _refuse_unknown_path(path: list[str], known: frozenset[str], *, source: str, field: str | None) -> None:
    """Refuse a path that no phase has; what lies inside of a single value is its own phase's to judge."""
    top = frozenset(name for name in known if "." not in name)
    if path[0] not in top:
        raise SettingsError(_unknown("no phase has this setting", path[0], top), source=source, field=field)
    inside = frozenset(name for name in known if name.startswith(f"{path[0]}."))
    if len(path) > 1 and inside and ".".join(path[:2]) not in inside:
        names = frozenset(name.split(".")[1] for name in inside)
        raise SettingsError(_unknown("this group has no such setting", path[1], names), source=source, field=field)


def _is_group(model: type[JobSettings], name: str) -> bool:
    kind = model.model_fields[name].annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _file_values(known: frozenset[str]) -> dict[str, Any]:
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return {}
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise SettingsError("cannot be read", source=path, found=error.strerror) from None
    except SettingsError as error:
        raise error.with_source(path) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError("is not JSON", source=path, found=error) from None
    if not isinstance(values, dict):
        raise SettingsError("wrong shape", source=path, expected="a JSON object", found=type(values).__name__)
    for name, value in values.items():
        _refuse_unknown_path([name], known, source=path, field=name)
        for inner in value if isinstance(value, dict) else ():
            _refuse_unknown_path([name, inner], known, source=path, field=f"{name}.{inner}")
    return values


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        # JSON's reader would take the last one and drop the others without a word.
        name = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise SettingsError("stands there twice", field=name)
    return values


def _unknown(problem: str, name: str, names: frozenset[str]) -> str:
    close = difflib.get_close_matches(name, sorted(names), n=1)
    return f"{problem}; did you mean {close[0]}?" if close else f"{problem}; {LISTED}"


def _as_settings_error(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    source, field = _origin(path), ".".join(path) or None
    if first["type"] == "extra_forbidden":
        return SettingsError(f"this group has no such setting; {LISTED}", source=source, field=field)
    if first["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        # What stands in a whole group's place may hold a secret of that group.
        return SettingsError("is a group of settings, not a single value", source=source, field=field)
    message = str(first["msg"]).removeprefix("Value error, ")
    secret = any(SECRET_KEYS.search(part) for part in path)
    shown = None if isinstance(first["input"], dict) else "***" if secret else first["input"]
    return SettingsError(message, source=source, field=field, found=shown)


def _origin(path: list[str]) -> str:
    """Return the variable that a value came from, or the file's name."""
    for depth in range(len(path), 0, -1):
        variable = ENV_PREFIX + NESTED_DELIMITER.join(path[:depth]).upper()
        if os.environ.get(variable):
            return variable
    return os.environ.get(FILE_VARIABLE) or "settings"


def _as_json_error(model: type[JobSettings], error: SourceError) -> SettingsError:
    # The library's own sentence names the field but not the variable, and its cause quotes the value.
    for name in model.model_fields:
        if f'"{name}"' in str(error):
            return SettingsError(
                "is not JSON", source=ENV_PREFIX + name.upper(), expected="JSON for a list or a group of settings"
            )
    return SettingsError(str(error), source="environment")
