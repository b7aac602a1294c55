"""The adapter's update added into the base's weights: a model that needs no PEFT."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from sam2vlm.errors import DataError
from sam2vlm.modeling.adapter import load_adapter
from sam2vlm.modeling.generation import answers_by_default
from sam2vlm.modeling.loading import load_model, load_processor

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from sam2vlm.modeling.trained import TrainedBase

__all__ = ["export_merged"]


def export_merged(adapter: Path, target: Path, *, base: TrainedBase, dtype: torch.dtype) -> None:
    """Merge an adapter into its base and save model, processor and chat template.

    Args:
        adapter: In PEFT's layout, with the processor that was trained with.
        target: Where to write; must not exist.
        base: The base model.
        dtype: Of the merged weights; that of the evaluation, so that the two can be compared.

    Raises:
        DataError: Adapter and base do not fit, or a merged weight is not finite.
    """
    processor = load_processor(adapter, name=base.source.name)
    model = load_adapter(load_model(base.source, class_name=base.entry.class_name, dtype=dtype), adapter)
    try:
        merged = model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise DataError(f"the adapter cannot be merged: {error}", source=adapter) from None
    # Saving asks accelerate, which imports DeepSpeed where it is installed, which says so on standard output.
    with contextlib.redirect_stdout(io.StringIO()), answers_by_default(merged, processor):
        merged.save_pretrained(target, safe_serialization=True)
    processor.save_pretrained(target)
