"""Several samples in one row, none of which can see another: positions that begin anew are all that keeps them apart.

Transformers reads from positions where a sample begins, as long as no mask is given and nothing is kept for later, and
makes a mask of blocks of it for sdpa and eager attention, lengths for FlashAttention.
``tests/unit/modeling/test_packing.py`` holds both against what is written out by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Dataset

from sam2vlm.modeling.collator import IGNORED, joined_pictures
from sam2vlm.modeling.parts import base_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from sam2vlm.modeling.encoding import Encoded
    from sam2vlm.modeling.samples import Samples

__all__ = ["PackedRows", "PackingCollator", "picture_positions_of"]

#: The name by which Qwen's families read which tokens are a picture's.
KINDS = "mm_token_type_ids"


class PackedRows(Dataset[list[dict[str, Any]]]):
    """Rows of samples, asked for by the samples' numbers.

    Args:
        samples: What the rows are made of.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [self._samples[number] for number in numbers]


@dataclass(frozen=True, slots=True)
class PackingCollator:
    """Makes batches of rows of whole samples, one behind the other; what is left of a row is filled up at its end.

    Attributes:
        pad_token_id: What fills up shorter rows; it is a sample of its own there, without labels.
        answers_only: Ask the model for the logits of the columns alone from which any row's answers are predicted.
        one_row: Join the rows to one. FlashAttention tells samples apart in a single row only, and pays nothing for
            its length; a mask of blocks grows with the square of it.
        picture_positions: What places a sample's picture in height and width, for families that turn keys and
            queries by both (M-RoPE); see :func:`picture_positions_of`. None numbers all tokens alike.
        multiple: Lengths are rounded up to a multiple of this.
    """

    pad_token_id: int
    answers_only: bool = False
    one_row: bool = False
    picture_positions: Callable[..., tuple[Tensor, Tensor]] | None = None
    multiple: int = 8

    def __call__(self, rows: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
        """Collate.

        Args:
            rows: Items of :class:`PackedRows`.

        Returns:
            ``input_ids`` (rows, length) of int64, where the family has them the tokens' types of the same shape,
            ``position_ids`` of the same shape, of M-RoPE (4, rows, length): place in the sample, then time, height
            and width, ``shift_labels`` (rows, columns): what each column that is asked for predicts, equal
            ``labels``, with ``answers_only`` the columns as ``logits_to_keep`` (columns,), the pictures' tensors
            in the order of the samples, and ``sample_numbers`` (samples,).
        """
        kept = [[sample for row in rows for sample in row]] if self.one_row else [list(row) for row in rows]
        samples = [sample for row in kept for sample in row]
        lines = [[sample["encoded"] for sample in row] for row in kept]
        filled = max(sum(item.length for item in line) for line in lines)
        length = -(-filled // self.multiple) * self.multiple
        predicted = torch.stack([_predicted(line, length) for line in lines])
        window: dict[str, Any] = {}
        if self.answers_only:
            columns = (predicted != IGNORED).any(dim=0).nonzero()[:, 0]
            predicted, window = predicted[:, columns], {"logits_to_keep": columns}
        return {
            **window,
            "input_ids": _joined([[item.tokens for item in line] for line in lines], length, self.pad_token_id),
            "position_ids": torch.stack([self._positions(row, length) for row in kept], dim=-2),
            # The model needs labels to make a loss at all, and reads those that are shifted already.
            "labels": predicted,
            "shift_labels": predicted,
            # Where a model keeps keys and values for later, Transformers does not look for samples in a row.
            "use_cache": False,
            "sample_numbers": torch.tensor([sample["number"] for sample in samples]),
            **{
                name: _joined([[item.types[name] for item in line] for line in lines], length, 0)
                for name in lines[0][0].types
            },
            **joined_pictures([sample["picture"] for sample in samples]),
        }

    def _positions(self, row: Sequence[dict[str, Any]], length: int) -> Tensor:
        """Return a row's positions, (length,) or (4, length); what fills it up is counted from 0 as well."""
        rest = length - sum(sample["encoded"].length for sample in row)
        places = torch.cat([*(torch.arange(sample["encoded"].length) for sample in row), torch.arange(rest)])
        if self.picture_positions is None:
            return places
        turned = [self._turned(sample) for sample in row]
        return torch.cat([places[None], torch.cat([*turned, torch.arange(rest).expand(3, -1)], dim=-1)])

    def _turned(self, sample: dict[str, Any]) -> Tensor:
        encoded: Encoded = sample["encoded"]
        assert self.picture_positions is not None  # noqa: S101  told to mypy
        positions, _beyond = self.picture_positions(
            input_ids=torch.tensor([encoded.tokens]),
            mm_token_type_ids=torch.tensor([encoded.types[KINDS]]),
            image_grid_thw=sample["picture"]["image_grid_thw"],
        )
        return positions[:, 0]


def picture_positions_of(model: nn.Module) -> Callable[..., tuple[Tensor, Tensor]] | None:
    """Return what gives a sample's M-RoPE positions, (3, 1, length) and how far they are behind; None without M-RoPE.

    It is the model's own way from tokens to positions, which reads its configuration and no weight.

    Args:
        model: Of one of Transformers' classes, adapted or not.
    """
    return getattr(getattr(base_of(model), "model", None), "get_rope_index", None)


def _predicted(line: Sequence[Encoded], length: int) -> Tensor:
    """Return what each column of a row predicts, (length,): an answer's next token, or nothing."""
    predicted = torch.full((length,), IGNORED)
    end = 0
    for item in line:
        end += item.length
        predicted[end - item.supervised - 1 : end - 1] = torch.tensor(item.tokens[-item.supervised :])
    return predicted


def _joined(rows: Sequence[Sequence[Sequence[int]]], length: int, filler: int) -> Tensor:
    """Join each row's parts, (rows, length)."""
    joined = torch.full((len(rows), length), filler)
    for line, parts in zip(joined, rows, strict=True):
        values = torch.tensor([value for part in parts for value in part])
        line[: len(values)] = values
    return joined
