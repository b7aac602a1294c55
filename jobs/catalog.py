"""All phases' settings side by side.

The jobs are strangers to each other; this is the one place that sees all their settings, so that a phase can
tell a typo from another phase's variable, and so that one table documents them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from jobs.evaluate.settings import EvaluateSettings
from jobs.export.settings import ExportSettings
from jobs.prepare.settings import PrepareSettings
from jobs.train.settings import TrainSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.job_settings import JobSettings

__all__ = ["PHASE_SETTINGS", "known_names"]

PHASE_SETTINGS: dict[str, type[JobSettings]] = {
    "prepare": PrepareSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "export": ExportSettings,
}


def known_names() -> frozenset[str]:
    """Return the setting names of all phases, those inside of a group as ``group.name``."""
    return frozenset(name for model in PHASE_SETTINGS.values() for name in _names(model))


def _names(model: type[JobSettings]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{name}.{inner}" for inner in kind.model_fields)
