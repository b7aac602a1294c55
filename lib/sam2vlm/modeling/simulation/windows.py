"""Qwen's towers attend within each picture, and in most layers of Qwen2.5-VL's within each window of 112 pixels.

Transformers does that one window after the other: eighty for a picture of a megapixel in each of 28 layers, which took
most of a plan's time and tells nothing that all of them at once do not. So the tower is told of one stretch of patches,
by the arguments that Transformers has for what was computed before, and its attention makes a batch of windows of it.
Queries, keys, values and outputs are the same bytes; operations are those of windows of the mean size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.vision_utils import get_vision_cu_seqlens, get_vision_window_index

if TYPE_CHECKING:
    from torch import nn

__all__ = ["as_batch", "one_stretch"]

#: Where an attention's number of windows is noted.
NOTED = "windows_at_once"


def one_stretch(model: Any, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Note each layer's number of windows, and return the arguments by which the tower takes them all at once.

    Args:
        model: One of Qwen's, as Transformers has it.
        inputs: A batch's, with the grid of each picture's patches.
    """
    tower, grid = model.model.visual, inputs["image_grid_thw"]
    pictures = get_vision_cu_seqlens(grid)
    whole = torch.stack([pictures[0], pictures[-1]])
    arguments, small = {"image_cu_seqlens": whole}, pictures
    if hasattr(tower, "window_size"):
        index, small = get_vision_window_index(grid, tower.spatial_merge_size, tower.window_size, tower.patch_size)
        arguments |= {"image_window_index": index, "image_cu_window_seqlens": whole}
    for number, layer in enumerate(tower.blocks):
        looks_far = number in getattr(tower, "fullatt_block_indexes", ())
        setattr(layer.attn, NOTED, len(pictures if looks_far else small) - 1)
    return arguments


def as_batch(module: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """Return (windows, heads, patches of one, width) of (1, heads, patches, width); unchanged where none were noted."""
    count = getattr(module, NOTED, 1)
    _, heads, patches, width = states.shape
    if count == 1:
        return states
    count = max(number for number in range(1, count + 1) if patches % number == 0)
    return states.transpose(1, 2).reshape(count, patches // count, heads, width).transpose(1, 2)
