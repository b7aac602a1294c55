"""Which base model a finished training used, where its files are now, and what was made of it. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.config import ModelRegistry, TrainingMethod
from sam2vlm.errors import DataError
from sam2vlm.modeling.source import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from sam2vlm.artifacts import Manifest, RunLayout
    from sam2vlm.config.model_registry import ModelEntry
    from sam2vlm.modeling.source import ModelSource

__all__ = ["TrainedBase", "find_trained_base", "trained_folder"]


@dataclass(frozen=True, slots=True)
class TrainedBase:
    """The base model of a training.

    Attributes:
        entry: What the registry says of it.
        source: Its files, the very ones that were trained on.
        whole: Whether the weights themselves were trained, so that the result is a model and no adapter.
    """

    entry: ModelEntry
    source: ModelSource
    whole: bool = False


def find_trained_base(train: Manifest, *, folder: Path | None) -> TrainedBase:
    """Find the base model that a training's manifest names.

    Args:
        train: ``RUN/train/manifest.json``.
        folder: The model's files on this machine, in place of the registry's checkpoint.

    Raises:
        DataError: The files are not those that were trained on: an adapter would not fit them, and a whole model is
            compared with them.
        SettingsError: The model is unknown, or there is no such folder.
        InterruptedRunError: The hub did not answer.
    """
    entry = ModelRegistry.get(str(train.settings["model"]["name"]))
    source = find_model(entry.name, checkpoint=str(folder) if folder else ModelRegistry.resolve(entry.name))
    if source.digest != train.inputs["model"]:
        raise DataError(
            "the base model's files are not those that the training began with",
            source=entry.name,
            expected=f"SHA-256 {train.inputs['model']}",
            found=source.digest,
        )
    return TrainedBase(entry, source, whole=train.settings["training"]["method"] == TrainingMethod.FULL)


def trained_folder(layout: RunLayout, base: TrainedBase) -> Path:
    """Return where a training has left its result: ``RUN/train/model`` or ``RUN/train/adapter``."""
    return layout.model if base.whole else layout.adapter
