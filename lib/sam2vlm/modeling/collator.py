"""Samples into a batch: padded tokens, labels on the assistant's tokens only, pictures."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sam2vlm.modeling.parts import base_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

    from sam2vlm.modeling.encoding import Encoded

__all__ = ["IGNORED", "Collator", "can_keep_logits", "joined_pictures"]

#: The label that PyTorch's cross entropy leaves out.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes batches, padded on the right.

    Attributes:
        pad_token_id: What fills up shorter samples; masked in ``attention_mask`` and in ``labels``.
        answers_only: Ask the model for the logits of the answers alone (``logits_to_keep``) and cut the labels to
            the same columns. The loss is the same; the logits of picture and question, most of the sequence times
            the whole vocabulary, are never computed.
        multiple: Lengths are rounded up to a multiple of this, which keeps the number of different shapes small.
    """

    pad_token_id: int
    answers_only: bool = False
    multiple: int = 8

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Collate.

        Args:
            samples: Items of :class:`sam2vlm.modeling.samples.Samples`.

        Returns:
            ``input_ids``, ``attention_mask`` and ``labels`` (batch, length) of int64, where the family has them the
            tokens' types of the same shape, the processor's picture tensors joined along their first dimension, and
            ``sample_numbers`` (batch,) to name samples by. With ``answers_only`` also ``logits_to_keep``, an integer,
            to which ``labels`` is cut: (batch, that many).
        """
        encoded: list[Encoded] = [sample["encoded"] for sample in samples]
        length = -(-max(item.length for item in encoded) // self.multiple) * self.multiple
        tokens = torch.full((len(encoded), length), self.pad_token_id)
        labels = torch.full((len(encoded), length), IGNORED)
        mask = torch.zeros((len(encoded), length), dtype=torch.long)
        for row, item in enumerate(encoded):
            ids = torch.tensor(item.tokens)
            tokens[row, : item.length] = ids
            mask[row, : item.length] = 1
            learnt = slice(item.length - item.supervised, item.length)
            labels[row, learnt] = ids[learnt]
        window: dict[str, Any] = {}
        if self.answers_only:
            # One column more than the answers: a token is predicted by the column before it.
            kept = length - min(item.length - item.supervised for item in encoded) + 1
            labels, window = labels[:, -kept:], {"logits_to_keep": kept}
        return {
            **window,
            "input_ids": tokens,
            "attention_mask": mask,
            "labels": labels,
            "sample_numbers": torch.tensor([sample["number"] for sample in samples]),
            **_types(encoded, length),
            **joined_pictures([sample["picture"] for sample in samples]),
        }


def _types(encoded: Sequence[Encoded], length: int) -> dict[str, Tensor]:
    """Return the tokens' types, (batch, length) each; what fills up a sample is text."""
    return {
        name: torch.tensor([[*item.types[name], *[0] * (length - item.length)] for item in encoded])
        for name in encoded[0].types
    }


def joined_pictures(pictures: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Join pictures' tensors along the first dimension; the others are filled up with zeros to the largest.

    Families that cut a picture into tiles give (1, tiles, 3, height, width), more tiles for a larger picture, and
    their own processors fill a batch up in the same way.

    Args:
        pictures: One for each sample, in the samples' order, all with the same names.
    """
    return {name: _joined([picture[name] for picture in pictures]) for name in pictures[0]}


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    sizes = [max(sides) for sides in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    return torch.cat([_filled(tensor, sizes) for tensor in tensors])


def _filled(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    if list(tensor.shape[1:]) == list(sizes):
        return tensor
    filled = tensor.new_zeros(tensor.shape[0], *sizes)
    filled[(slice(None), *(slice(side) for side in tensor.shape[1:]))] = tensor
    return filled


def can_keep_logits(model: PeftModel | PreTrainedModel) -> bool:
    """Return whether a model can be asked for the logits of a sequence's end alone.

    A forward pass that fused kernels have put into it keeps no logits at all in training, and takes no part of a row.
    """
    # An adapted model's own signature says nothing of what its base takes.
    base = base_of(model)
    return "forward" not in vars(base) and "logits_to_keep" in inspect.signature(base.forward).parameters
