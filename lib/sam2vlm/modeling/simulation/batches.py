"""A batch of a workload's shapes, as the collator makes it of real samples: whole numbers real, pictures on meta."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.devices import DTYPES
from sam2vlm.modeling.encoding import TOKEN_TYPES
from sam2vlm.modeling.loading import load_processor
from sam2vlm.modeling.parts import base_of
from sam2vlm.modeling.pictures import bound_area
from sam2vlm.modeling.simulation.families import FAMILIES
from sam2vlm.modeling.simulation.ledger import StorageLedger

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from sam2vlm.config.model_registry import ModelEntry
    from sam2vlm.config.workload import Workload

__all__ = ["ShownPicture", "one_batch", "show_picture"]

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
#: SmolVLM's whole numbers of every pixel, 36 MB of them for one large picture. All are yes: its tiles are always full.
OF_EVERY_PIXEL = "pixel_attention_mask"


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """One picture as a model gets it.

    Attributes:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        inputs: By the names of the model's arguments: ``pixel_values`` on the meta device, of the weights' type, and
            what else says something of each pixel; what says how it was cut (``image_grid_thw``, ``image_sizes``),
            with its values.
        tokens: How many of a sample's tokens it takes.
    """

    width: int
    height: int
    inputs: dict[str, torch.Tensor] = field(default_factory=dict)
    tokens: int = 0


def show_picture(model: nn.Module, workload: Workload, entry: ModelEntry, folder: Path | None) -> ShownPicture:
    """Make what a family's own processor makes of a picture, and ask the model how many tokens that is.

    Args:
        model: On the meta device.
        workload: Names the picture's size; without one, the picture takes the registered number of tokens.
        entry: The registry's.
        folder: The checkpoint's. Its processor is taken where it has one.

    Raises:
        SettingsError: The processor cannot be loaded, or takes no picture so small.
    """
    family = FAMILIES[entry.class_name]
    width, height = workload.picture or family.usual(workload.max_pixels)
    if folder is not None and any((folder / name).is_file() for name in PROCESSOR_FILES):
        processor: Any = load_processor(folder, name=entry.name)
        bound_area(processor, max_pixels=workload.max_pixels)
        pictures = processor.image_processor
    else:
        pictures = family.pictures(entry, workload.max_pixels)
    made = pictures(images=[Image.new("RGB", (width, height))], return_tensors="pt")
    wanted = inspect.signature(base_of(model).forward).parameters
    kind = DTYPES[workload.precision]
    inputs = {name: _as_shown(name, values, kind) for name, values in made.items() if name in wanted}
    return ShownPicture(width, height, inputs, _tokens_of(base_of(model), inputs))


def one_batch(workload: Workload, model: nn.Module, picture: ShownPicture) -> dict[str, Any]:
    """Return a batch of the workload's shapes, as :class:`sam2vlm.modeling.collator.Collator` does.

    Returns:
        ``input_ids``, ``attention_mask`` and where the family has them the tokens' types (batch, tokens), with their
        values; where samples are padded, all but the first are masked at their last token. ``labels`` (batch, answer
        tokens) and ``logits_to_keep``, or (batch, tokens) for a family that computes all logits. The picture's
        inputs, joined along their first dimension; a packed row has as many pictures as fit, evenly spread.

    Raises:
        SettingsError: The picture takes more tokens than a sample may have.
    """
    base, batch, tokens = base_of(model), workload.batch_size, workload.tokens
    family = FAMILIES[type(base).__name__]
    if picture.tokens >= tokens:
        raise SettingsError(
            f"a picture of {picture.width} x {picture.height} takes {picture.tokens} tokens, which leaves none for "
            "question and answer; raise it, or plan smaller pictures",
            field="data.max_length",
            expected=f"at least {picture.tokens + 1}",
            found=tokens,
        )
    wanted = inspect.signature(base.forward).parameters
    pictures = workload.pictures_of(picture.tokens)
    shown = _places(picture.tokens, pictures, tokens)
    ids = torch.ones(batch, tokens, dtype=torch.long)
    # Families' tokens of pictures lie behind those of words, at their vocabulary's end.
    ids[:, shown] = base.config.image_token_id
    mask = torch.ones_like(ids)
    if workload.padded:
        mask[min(1, batch - 1) :, -1] = 0
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    kept = workload.answer_tokens or tokens - picture.tokens
    for name in TOKEN_TYPES:
        if name in wanted:
            inputs[name] = torch.zeros_like(ids)
            # The first column whose logits are kept is not the answer's: it predicts it.
            inputs[name][:, slice(tokens - kept + 1, None) if family.marks_answers else shown] = 1
    if "logits_to_keep" in wanted:
        inputs["logits_to_keep"] = kept
        inputs["labels"] = ids[:, -kept:].clone()
    else:
        inputs["labels"] = ids.clone()
    inputs |= {name: torch.cat([values] * (batch * pictures)) for name, values in picture.inputs.items()}
    return inputs | family.also(base, inputs)


def _as_shown(name: str, values: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    if values.is_floating_point():
        return values.to("meta", kind)
    return values.to("meta") if name == OF_EVERY_PIXEL else values


def _places(picture_tokens: int, pictures: int, tokens: int) -> torch.Tensor:
    """Return where in a row the tokens of its pictures stand; before each picture there is at least one of text."""
    firsts = 1 + torch.arange(pictures) * (tokens // pictures)
    return (firsts[:, None] + torch.arange(picture_tokens)).ravel()


def _tokens_of(model: nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    asked: Any = model.model
    wanted = inspect.signature(asked.get_image_features).parameters
    given = {name: values for name, values in inputs.items() if name in wanted}
    with torch.no_grad(), StorageLedger():
        further = FAMILIES[type(model).__name__].also(model, inputs)
        features = asked.get_image_features(**given, **further, return_dict=True).pooler_output
    rows = [features] if isinstance(features, torch.Tensor) else features
    width = model.config.get_text_config().hidden_size  # type: ignore[union-attr, operator]
    return sum(row.numel() for row in rows) // int(width)
