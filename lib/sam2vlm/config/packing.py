"""Which families may have several samples in one row: those whose packed rows compute what single ones do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.config.model_registry import ModelRegistry, ModelType
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["PACKED_FAMILIES", "refuse_packing"]

#: Shown by ``tests/unit/modeling/test_packing.py``: equal losses, gradients and logits.
PACKED_FAMILIES = frozenset(
    {
        ModelType.LLAVA,
        ModelType.LLAVA_NEXT,
        ModelType.LLAVA_ONEVISION,
        ModelType.QWEN2_VL,
        ModelType.QWEN2_5_VL,
        ModelType.QWEN3_VL,
        ModelType.INTERNVL,
        ModelType.SMOLVLM,
    }
)
REASONS = {
    ModelType.GEMMA3: (
        "a picture's tokens see one another there, and in its layers that look back a little Transformers looks them "
        "up by their place in their own sample instead of the row"
    ),
    ModelType.PALIGEMMA: "a question is read in both directions there, and those of a row would see one another",
}
NOT_SHOWN = "nobody has shown that its samples stay apart there"


def refuse_packing(config: TrainingConfig) -> None:
    """Refuse packed rows for a family whose samples would see each other.

    Raises:
        SettingsError: They are asked for, and the family is not one of these.
    """
    family = ModelRegistry.get(config.model.name).type
    if config.training.packing and family not in PACKED_FAMILIES:
        raise SettingsError(
            f"rows of several samples are not exact for {config.model.name}: {REASONS.get(family, NOT_SHOWN)}; set it "
            "to false",
            field="training.packing",
            expected=f"a model of {', '.join(sorted(PACKED_FAMILIES))}",
            found=family.value,
        )
