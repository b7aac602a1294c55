"""How a loaded model writes boxes: its family's convention, with the sizes of its own processor of pictures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from sam2vlm.data_converter.instructions.conventions import CONVENTIONS, box_convention
from sam2vlm.modeling.pictures import area_bounds

if TYPE_CHECKING:
    from transformers import ProcessorMixin

    from sam2vlm.config.model_registry import ModelEntry
    from sam2vlm.data_converter.instructions.conventions import BoxConvention

__all__ = ["boxes_of"]


def boxes_of(entry: ModelEntry, processor: ProcessorMixin) -> BoxConvention:
    """Return the convention to train, to read answers and to measure with.

    A family whose coordinates are pixels of the resized picture resizes by the bounds of its processor, which a
    setting may have lowered: they are read there, so that targets and pictures cannot disagree.

    Args:
        entry: What the registry says of the model.
        processor: The one that pictures go through; saved with the adapter, it is the evaluation's too.

    Raises:
        SettingsError: No convention is known for the family.
    """
    kind: Any = CONVENTIONS.get(entry.type.value)
    asked = {field.name for field in dataclasses.fields(kind)} if kind else set()
    options: dict[str, Any] = {}
    if "decimals" in asked:
        options["decimals"] = entry.boxes.decimals
    bounds = area_bounds(processor)
    if "max_pixels" in asked and bounds is not None:
        pictures = cast("Any", processor).image_processor
        options["min_pixels"], options["max_pixels"] = bounds
        options["factor"] = pictures.patch_size * pictures.merge_size
    return box_convention(entry.type.value, **options)
