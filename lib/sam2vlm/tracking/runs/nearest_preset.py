"""Which preset a run's settings come from; its manifest does not say, because presets are values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import leaves
from sam2vlm.config import ConfigPresets

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NearestPreset", "nearest_preset"]

#: What a preset decides beside the model; the data and the experiment's name are the run's own.
GROUPS = ("training", "devices", "checkpoints", "tracking")


@dataclass(frozen=True, slots=True)
class NearestPreset:
    """The preset with the fewest other values.

    Attributes:
        name: The preset's; the first of equals in the order of what they cost.
        changed: How many values are not its own.
    """

    name: str
    changed: int


def nearest_preset(settings: Mapping[str, Any]) -> NearestPreset:
    """Return the preset of this version that a train phase's settings are nearest to.

    Args:
        settings: Of the train phase's manifest; a field that an earlier version did not have is left out.
    """
    own = _values(settings)
    candidates = []
    for name in ConfigPresets.names():
        preset = ConfigPresets.get(name, data_path="prepare/dataset/train", val_path="prepare/dataset/val")
        values = _values(preset.model_dump(mode="json"))
        candidates.append(NearestPreset(name, sum(value != values.get(field) for field, value in own.items())))
    return min(candidates, key=lambda candidate: candidate.changed)


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    return dict(leaves({group: settings.get(group) for group in GROUPS}))
