"""The models by name: what they are, which checkpoint a name stands for, which ones this version can train.

The entries are data (``registry.json`` beside this module): class names and token ids as read in Transformers
5.23, dimensions and licences as recalled from the models' own cards. Whoever loads a checkpoint has its
``config.json`` at hand and goes by that; these entries serve plans, targets and messages before anything is loaded.
"""

from __future__ import annotations

import difflib
import functools
import json
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sam2vlm.config.memory import simulate_memory
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BoxConvention", "ModelEntry", "ModelRegistry", "ModelType", "VisionTower"]

LANGUAGE_MODEL_PROJECTIONS = r"model\.language_model\..*\.(q|k|v|o|gate|up|down)_proj"


class ModelType(StrEnum):
    """A family of models that share their class, their prompts and their way to write boxes."""

    LLAVA = "llava"
    LLAVA_NEXT = "llava_next"
    LLAVA_ONEVISION = "llava_onevision"
    QWEN_VL = "qwen_vl"
    QWEN2_VL = "qwen2_vl"
    QWEN2_5_VL = "qwen2_5_vl"
    QWEN3_VL = "qwen3_vl"
    INSTRUCTBLIP = "instructblip"
    INTERNVL = "internvl"
    GEMMA3 = "gemma3"
    SMOLVLM = "smolvlm"
    PALIGEMMA = "paligemma"
    FLORENCE2 = "florence2"


class BoxConvention(BaseModel):
    """How a family writes a box.

    Attributes:
        kind: ``square_fraction``: ``[x1, y1, x2, y2]`` as 0-1 of the picture padded to a square;
            ``picture_fraction``: the same of the unpadded picture; ``resized_pixels``: absolute pixels of the
            picture after the family's own resizing; ``thousandths``: integers 0-1000 of the picture;
            ``location_tokens``: a token of its own for each place.
        decimals: Digits after the point.
        native: Whether the family was trained with it; otherwise it is ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["square_fraction", "picture_fraction", "resized_pixels", "thousandths", "location_tokens"]
    decimals: int = Field(ge=0, le=4)
    native: bool


class VisionTower(BaseModel):
    """The picture's encoder: layers, width and side of a patch's grid, all counts; sizes in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    heads: int = Field(ge=1)
    image_size: int = Field(ge=1)
    patch_size: int = Field(ge=1)


class ModelEntry(BaseModel):
    """One model.

    Attributes:
        name: What people write in settings.
        checkpoint: The Transformers-format checkpoint that the name stands for: a hub id, or ``package:<path>``
            for one that is shipped inside of this package; None where there is none any more.
        class_name: The model's class in Transformers.
        type: Its family.
        parameters: All weights, the vision tower's included.
        layers: Decoder layers of the language model, to which the next eight also belong.
        hidden: Width of the residual stream.
        heads: Attention heads.
        head_dim: Width of a head where it is not the residual stream's over the heads; None elsewhere.
        kv_heads: Heads of keys and values.
        intermediate: Width inside of the feed-forward block.
        vocab: Tokens of the output layer.
        tied: Whether the output layer is the embedding's weights.
        max_positions: Longest sequence in tokens.
        image_tokens: Tokens that one picture takes; for families with variable counts that of a picture of one
            megapixel, the usual case.
        image_token_id: The token that stands for them; None where the family has query tokens instead.
        vision: The vision tower.
        boxes: How boxes are written.
        lora_target: Regular expression of the language model's projections, matched against whole module names.
        licence: Of the weights.
        refusal: Why the trainer does not take it in this version; None where it does.
        successor: The registry name of the maintained model in the same role, where this one is gone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    checkpoint: str | None
    class_name: str
    type: ModelType
    parameters: int = Field(ge=1)
    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    heads: int = Field(ge=1)
    head_dim: int | None = Field(default=None, ge=1)
    kv_heads: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    vocab: int = Field(ge=1)
    tied: bool = False
    max_positions: int = Field(ge=1)
    image_tokens: int = Field(ge=1)
    image_token_id: int | None
    vision: VisionTower
    boxes: BoxConvention
    lora_target: str
    licence: str
    refusal: str | None = None
    successor: str | None = None

    @property
    def trainable(self) -> bool:
        """Whether this version's trainer takes it."""
        return self.refusal is None

    @property
    def packaged(self) -> bool:
        """Whether its weights are shipped inside of this package."""
        return self.checkpoint is not None and self.checkpoint.startswith("package:")


class ModelRegistry:
    """The known models. All methods are class methods, so an instance and the class serve alike."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return every name, in the order of the registry's file."""
        return tuple(_entries())

    @classmethod
    def get(cls, name: str) -> ModelEntry:
        """Return a model's entry.

        Raises:
            SettingsError: There is no such name; the nearest ones are named.
        """
        entry = _entries().get(name)
        if entry is None:
            raise SettingsError(_unknown(name), field="model", found=name)
        return entry

    @classmethod
    def resolve(cls, name: str) -> str:
        """Return the Transformers-format checkpoint that a name stands for.

        Returns:
            A hub id, or ``package:<path>`` relative to the ``sam2vlm`` package.

        Raises:
            SettingsError: The name is unknown, or its checkpoint cannot be run any more; its successor is named,
                never taken silently.
        """
        entry = cls.get(name)
        if entry.checkpoint is None:
            raise SettingsError(_gone(entry), field="model", found=name)
        return entry.checkpoint

    @classmethod
    def estimate_vram_requirements(
        cls, name: str, *, use_lora: bool = True, batch_size: int = 4, **options: Any
    ) -> Mapping[str, Any]:
        """Estimate what training needs on one GPU; see :func:`sam2vlm.config.memory.simulate_memory`.

        Args:
            name: A model of the registry.
            use_lora: Train an adapter; otherwise the weights themselves.
            batch_size: Samples in one forward pass.
            options: ``rank``, ``max_length``, ``quantized``, ``gradient_checkpointing``, ``learning``, as there.

        Returns:
            ``total_vram_gb``, ``recommended_gpu``, the parts in GB, and ``estimated_by``.

        Raises:
            SettingsError: The name is unknown, or a number makes no sense.
        """
        return simulate_memory(cls.get(name), use_lora=use_lora, batch_size=batch_size, **options)


@functools.cache
def _entries() -> dict[str, ModelEntry]:
    raw = json.loads(files("sam2vlm.config").joinpath("registry.json").read_text(encoding="utf-8"))
    entries = [ModelEntry.model_validate({"lora_target": LANGUAGE_MODEL_PROJECTIONS, **values}) for values in raw]
    return {entry.name: entry for entry in entries}


def _unknown(name: str) -> str:
    names = {known.lower(): known for known in _entries()}
    close = difflib.get_close_matches(name.lower(), list(names), n=2, cutoff=0.4)
    hint = f"did you mean {' or '.join(names[match] for match in close)}?" if close else "`sam2vlm models` lists them"
    return f"the registry has no such model; {hint}"


def _gone(entry: ModelEntry) -> str:
    return f"{entry.refusal}; its maintained successor is {entry.successor}, which has to be asked for by name"
