"""Every setting of every phase as a row, read from the settings models themselves."""

from __future__ import annotations

import enum
import json
import types
import typing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from jobs.job_settings import JobSettings

__all__ = ["EVERY_PHASE", "Setting", "all_settings", "fields_of", "unit_of"]

EVERY_PHASE = "every phase"
KINDS: dict[Any, str] = {bool: "yes or no", int: "integer", float: "number", str: "text", Path: "path"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        phase: The phase that reads it, or ``every phase``.
        name: Its path in a JSON file (``lora.rank``).
        variable: The environment variable that sets it.
        type: What it takes, with its bounds, in words.
        unit: Of a number; empty for everything else.
        default: Its default, in words where the value comes from elsewhere.
        meaning: One or two sentences.
    """

    phase: str
    name: str
    variable: str
    type: str
    unit: str
    default: str
    meaning: str

    def as_json(self) -> dict[str, str]:
        """Return the row as a JSON object."""
        return asdict(self)


def all_settings(phases: Mapping[str, type[JobSettings]], common: type[JobSettings]) -> list[Setting]:
    """List every setting once: those of every phase first, then each phase's own.

    Args:
        phases: The settings model of each phase.
        common: What all of them build on.
    """
    rows = list(_rows(EVERY_PHASE, common, leave_out=frozenset()))
    for phase, model in phases.items():
        rows += _rows(phase, model, leave_out=frozenset(common.model_fields))
    return rows


def _rows(phase: str, model: type[JobSettings], *, leave_out: frozenset[str]) -> Iterator[Setting]:
    from jobs.job_settings import ENV_PREFIX, NESTED_DELIMITER

    for path, info in fields_of(model):
        if path[0] not in leave_out:
            yield Setting(
                phase=phase,
                name=".".join(path),
                variable=ENV_PREFIX + NESTED_DELIMITER.join(path).upper(),
                type=_type_in_words(info),
                unit=unit_of(info),
                default=_default_in_words(info),
                meaning=info.description or "",
            )


def fields_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield every field of a model and of the groups inside of it, with its path."""
    for name, info in model.model_fields.items():
        kind = _without_none(info.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields_of(kind, (*above, name))
        else:
            yield (*above, name), info


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        left = [part for part in typing.get_args(kind) if part is not type(None)]
        return left[0] if len(left) == 1 else kind
    return kind


def _type_in_words(info: FieldInfo) -> str:
    words = _kind_in_words(_without_none(info.annotation))
    bounds = _bounds_in_words(info)
    return f"{words}, {bounds}" if bounds else words


def _kind_in_words(kind: Any) -> str:
    if kind in KINDS:
        return KINDS[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, inside))
    return _composed_in_words(kind, origin, inside)


def _composed_in_words(kind: Any, origin: Any, inside: tuple[Any, ...]) -> str:
    if origin is typing.Annotated:
        return _kind_in_words(inside[0])
    if origin in (list, tuple, set, frozenset):
        return f"JSON list of {_kind_in_words(inside[0])}"
    if origin is dict:
        return f"JSON object of {_kind_in_words(inside[1])}"
    told = [part for part in inside if part is not type(None)]
    return " or ".join(map(_kind_in_words, told)) if told else getattr(kind, "__name__", str(kind))


def _bounds_in_words(info: FieldInfo) -> str:
    found = {
        name: getattr(item, name) for item in info.metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)
    }
    if {"ge", "le"} <= found.keys():
        return f"{_number(found['ge'])} to {_number(found['le'])}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join(f"{words[name]} {_number(found[name])}" for name in words if name in found)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default_in_words(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return str(_extra(info).get("unset", "not set"))
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, enum.Enum):
        return str(default.value)
    if isinstance(default, list | tuple | dict):
        return json.dumps(default)
    return _number(default) if isinstance(default, float) else str(default)


def unit_of(info: FieldInfo) -> str:
    """Return the unit that a numeric field names; empty for everything else."""
    return str(_extra(info).get("unit", ""))


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
