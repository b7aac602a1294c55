"""SmolVLM leaves out tiles of nothing but zeros: what fills up a picture of fewer tiles than the batch's largest.

It counts each tile's zeros in the tile's values, which a picture on the meta device has not. A planned batch's pictures
are of one size, so that no tile is filled up; the count is made as the model makes it, and its answer is that none is
zero.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["without_blank_tiles"]

#: Along which the zeros of a tile are counted: its columns, rows and colours.
OF_A_TILE = (-1, -2, -3)


def without_blank_tiles(model: Any, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Have a model find no blank tile among its pictures'; it needs no further arguments.

    Args:
        model: SmolVLM's, as Transformers has it.
        inputs: A batch's.
    """
    del inputs
    name, asked = "get_image_features", model.model
    if name not in vars(asked):
        own = getattr(asked, name)

        @functools.wraps(own)
        def features(*args: Any, **kwargs: Any) -> Any:
            with _NoZeros():
                return own(*args, **kwargs)

        setattr(asked, name, features)
    return {}


class _NoZeros(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func is not torch.Tensor.sum or kwargs.get("dim") != OF_A_TILE:
            return func(*args, **kwargs)
        # Torch adds up yes and no as whole numbers, of which it makes a copy first.
        counted = func(args[0].to(torch.long), **kwargs)
        return torch.zeros(counted.shape, dtype=counted.dtype, device="cpu")
