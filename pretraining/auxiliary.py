"""The auxiliary task of the vision tower: what does each patch belong to, and where is that object's box?

In the last phase also: of which colour is it?

The language loss alone stands still for a long time, because a gradient through four layers of language model says
little about edges. The heads are thrown away afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pretraining.model import GRID, IMAGE_TOKENS, PATCH
from pretraining.scenes import SCENE_LABELS
from pretraining.shapes import LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pretraining.pictures import Picture

# A patch belongs to an object that fills at least this share of it.
_FILLED = 0.25
#: ``kind`` of a patch without object.
BACKGROUND = -1

_NUMBERS = {label: number for number, label in enumerate(SCENE_LABELS)}

#: Kinds, boxes and colours, as :func:`patch_targets` gives them, with the batch in front.
Targets = tuple[Tensor, Tensor, Tensor]


def patch_targets(picture: Picture) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """``kind`` (64,), ``box`` (64, 4) and ``colour`` (64, 3) of each patch.

    The kind is an index into the labels of a scene, of which the shapes' come first, or BACKGROUND; the box x1 y1 x2 y2
    in 0-1; the colour the mean over the object's visible pixels, RGB in 0-1. Each object has at least the patch that it
    fills most, however small it is.
    """
    kind = np.full(IMAGE_TOKENS, BACKGROUND, np.int64)
    box = np.zeros((IMAGE_TOKENS, 4), np.float32)
    colour = np.zeros((IMAGE_TOKENS, 3), np.float32)
    if not picture.objects:
        return kind, box, colour
    tiles = picture.owners.reshape(GRID, PATCH, GRID, PATCH).swapaxes(1, 2).reshape(IMAGE_TOKENS, PATCH * PATCH)
    numbers = np.arange(1, len(picture.objects) + 1, dtype=np.uint8)
    share = (tiles[:, :, None] == numbers).mean(axis=1)
    owner = np.where(share.max(axis=1) >= _FILLED, share.argmax(axis=1), -1)
    owner[share.argmax(axis=0)] = np.arange(len(numbers))
    for number, item in enumerate(picture.objects):
        kind[owner == number] = _NUMBERS[item.label]
        box[owner == number] = item.box
        colour[owner == number] = picture.pixels[picture.owners == number + 1].mean(axis=0) / 255
    return kind, box, colour


class PatchHeads(nn.Module):
    """Linear heads on the tower's patches: whether there is an object, of which kind, and its box.

    They are linear so that the tower has to lay out the edges plainly, for the language model to read.
    """

    def __init__(self, width: int, kinds: int = len(LABELS)) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inside = nn.Linear(width, 1)
        self.kind = nn.Linear(width, kinds)
        self.box = nn.Linear(width, 4)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """The loss for features (batch, 64, width), and kinds (batch, 64) and boxes (batch, 64, 4) of the targets."""
        kind, box, _ = targets
        features = self.norm(features)
        inside = kind != BACKGROUND
        inside_loss = functional.binary_cross_entropy_with_logits(self.inside(features).squeeze(-1), inside.float())
        kind_loss = functional.cross_entropy(self.kind(features[inside]), kind[inside])
        predicted, wanted = self.box(features[inside]), box[inside]
        # The distances weigh ten times: they are hundredths of the side where the other losses are tenths.
        box_loss = 10 * functional.l1_loss(predicted, wanted) + (1 - _overlap(predicted, wanted)).mean()
        return 2 * inside_loss + 0.5 * kind_loss + box_loss


class SceneHeads(PatchHeads):
    """The heads of the last phase, which go on from those before: every kind of a scene, and its colour."""

    def __init__(self, width: int, before: PatchHeads) -> None:
        super().__init__(width, len(SCENE_LABELS))
        for name in ("norm", "inside", "box"):
            getattr(self, name).load_state_dict(getattr(before, name).state_dict())
        self.colour = nn.Linear(width, 3)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Likewise, with the colours (batch, 64, 3) of the targets."""
        kind, _, colour = targets
        inside = kind != BACKGROUND
        predicted = self.colour(self.norm(features)[inside])
        return super().forward(features, targets) + 2 * functional.l1_loss(predicted, colour[inside])


def _overlap(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU (n,) of boxes (n, 4) and (n, 4), -1 to 1 (Rezatofighi et al., 2019)."""
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    shared = (low[:, 2:] - high[:, :2]).clamp(min=0).prod(dim=1)
    union = _area(first) + _area(second) - shared
    around = (high[:, 2:] - low[:, :2]).prod(dim=1)
    return shared / union.clamp(min=1e-6) - (around - union) / around.clamp(min=1e-6)


def _area(box: Tensor) -> Tensor:
    return (box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1)
