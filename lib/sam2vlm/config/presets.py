"""Ready-made configurations by name. Their values are data: one JSON file each in ``presets/`` beside this module."""

from __future__ import annotations

import difflib
import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sam2vlm.config.training_config import TrainingConfig
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ConfigPresets"]

#: In the order of what they cost.
NAMES = (
    "demo",
    "quick_test",
    "development",
    "production",
    "memory_efficient",
    "high_quality",
    "ultra_low_memory",
)


class ConfigPresets:
    """The presets, each a :class:`TrainingConfig` for the paths that it is given."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return every preset's name."""
        return NAMES

    @classmethod
    def description(cls, name: str) -> str:
        """Return what a preset is for, in one sentence.

        Raises:
            SettingsError: There is no such preset; the nearest one is named.
        """
        return str(_preset(name)["description"])

    @classmethod
    def values(cls, name: str) -> dict[str, Any]:
        """Return what a preset sets, as nested JSON values of a :class:`TrainingConfig`; the caller owns them.

        Raises:
            SettingsError: There is no such preset; the nearest one is named.
        """
        return {key: value for key, value in _preset(name).items() if key != "description"}

    @classmethod
    def get(cls, name: str, *, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """Return a preset's configuration for a dataset.

        Args:
            name: The preset.
            data_path: The training samples' dataset.
            val_path: The validation samples' dataset; without one early stopping is left out.

        Raises:
            SettingsError: There is no such preset; the nearest one is named.
        """
        values = cls.values(name)
        if val_path is None:
            values["tracking"].pop("early_stopping_patience", None)
        values["data"] |= {"train_path": data_path, "val_path": val_path}
        return TrainingConfig.model_validate({**values, "experiment_name": name})

    @classmethod
    def demo(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """Two CPU cores and no hub: the tiny model that is shipped with the package."""
        return cls.get("demo", data_path=data_path, val_path=val_path)

    @classmethod
    def quick_test(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """Does it run at all: 1 epoch, rank 8."""
        return cls.get("quick_test", data_path=data_path, val_path=val_path)

    @classmethod
    def development(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """Trying ideas: 3 epochs, rank 32."""
        return cls.get("development", data_path=data_path, val_path=val_path)

    @classmethod
    def production(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """The model that is kept: 5 epochs, rank 64."""
        return cls.get("production", data_path=data_path, val_path=val_path)

    @classmethod
    def memory_efficient(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """For 24 GB cards: rank 16, one sample at a time."""
        return cls.get("memory_efficient", data_path=data_path, val_path=val_path)

    @classmethod
    def high_quality(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """The 13B model, rank 128."""
        return cls.get("high_quality", data_path=data_path, val_path=val_path)

    @classmethod
    def ultra_low_memory(cls, data_path: Path | str, val_path: Path | str | None = None) -> TrainingConfig:
        """For 12 GB cards: 4-bit weights, rank 8."""
        return cls.get("ultra_low_memory", data_path=data_path, val_path=val_path)


def _preset(name: str) -> Mapping[str, Any]:
    if name not in NAMES:
        asked = name.lower().replace("-", "_")
        close = [known for known in NAMES if asked and known.startswith(asked)] or difflib.get_close_matches(
            asked, NAMES
        )
        hint = f"did you mean {close[0]}?" if close else "`sam2vlm presets` lists them"
        raise SettingsError(f"there is no such preset; {hint}", field="preset", found=name)
    # Read anew from the text each time: the caller may change what it gets.
    values: dict[str, Any] = json.loads(_text(name))
    return values


@functools.cache
def _text(name: str) -> str:
    return files("sam2vlm.config").joinpath("presets", f"{name}.json").read_text(encoding="utf-8")
