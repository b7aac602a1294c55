"""Batches of generated pictures with their conversations, drawn in background processes.

Every batch is a function of the seed and of the numbers of its pictures alone: neither the number of workers nor an
interruption changes a byte of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from pretraining.answers import ANSWERS, TASKS, read_prompts
from pretraining.auxiliary import Targets, patch_targets
from pretraining.model import IMAGE_TOKENS
from pretraining.pictures import MOST_OBJECTS, Picture, draw_picture
from pretraining.tokenizer import END, IMAGE, token_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedTokenizerFast

# How often each task is asked. Copying a text teaches the embeddings of tokens that no shape's name needs.
_MIX = {"detect": 0.8, "count": 0.06, "describe": 0.09, "copy": 0.05}
_COPY_PROMPT = "Write {text}."
_MOST_COPIED = 4
# How often copied words stand apart; otherwise they make one long word.
_APART = 0.5
# At most as many objects in the easy steps.
_EASY_OBJECTS = 2
_IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """One step's input.

    ``pixels`` (batch, 128, 128, 3) uint8, ``targets`` of the auxiliary heads: kinds (batch, 64), boxes (batch, 64, 4)
    and colours (batch, 64, 3),
    ``tokens`` and ``labels`` (batch, length), padded right, ``labels`` being -100 but for the assistant's tokens.
    The rows are in the order of their lengths, so that parts of the batch can be cut shorter.
    """

    pixels: Tensor
    targets: Targets
    tokens: Tensor
    labels: Tensor


def normalise(pixels: Tensor) -> Tensor:
    """``pixel_values`` (batch, 3, height, width) of uint8 pictures (batch, height, width, 3), like the processor's."""
    mean, std = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    return pixels.float().mul_(1 / (255 * std)).sub_(mean / std).permute(0, 3, 1, 2).contiguous()


class Conversations:
    """Turns a picture into the tokens of one question and its answer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._prompts = read_prompts()
        self._before = token_ids(tokenizer, f"USER: {IMAGE * IMAGE_TOKENS}")
        # Whole pieces to copy: any learnt token that is valid text by itself.
        pieces = (str(tokenizer.decode([token])) for token in range(256, len(tokenizer) - 104))
        self._words = sorted(piece.strip() for piece in pieces if piece.strip().isalnum())

    def tokens(self, picture: Picture, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """The prompt's and the answer's token ids of a task drawn at random."""
        task = str(rng.choice(list(_MIX), p=list(_MIX.values())))
        if task in TASKS:
            wordings = self._prompts[task]
            return self.prompt(wordings[int(rng.integers(len(wordings)))]), self.answer(ANSWERS[task](picture.objects))
        copied = [
            self._words[int(rng.integers(len(self._words)))] for _ in range(int(rng.integers(1, _MOST_COPIED + 1)))
        ]
        text = (" " if rng.random() < _APART else "").join(copied)
        return self.prompt(_COPY_PROMPT.format(text=text)), self.answer(text)

    def prompt(self, text: str) -> list[int]:
        """Token ids of the chat template's generation prompt, the image's placeholder in full."""
        return [*self._before, *token_ids(self._tokenizer, f"\n{text} ASSISTANT:")]

    def answer(self, text: str) -> list[int]:
        """Token ids of the assistant's turn behind that prompt."""
        return token_ids(self._tokenizer, f" {text}{END}")


class Batches(Dataset[Batch]):
    """Batches of one phase.

    Args:
        conversations: Ask and answer.
        seed: Of the pictures.
        first: The number of the phase's first picture; step n has those from ``first + n * size`` on.
        size: Pictures in a batch.
        steps: Batches in all.
        easy: So many steps at the beginning have at most two objects: the answer's order is learnt on short ones.
        draw: Draws the picture of a seed, a number and a most of objects.
    """

    def __init__(
        self,
        conversations: Conversations,
        *,
        seed: int,
        first: int,
        size: int,
        steps: int,
        easy: int = 0,
        draw: Callable[[int, int, int], Picture] = draw_picture,
    ) -> None:
        self._conversations, self._seed, self._first, self._size = conversations, seed, first, size
        self._steps, self._easy, self._draw = steps, easy, draw
        self._padding = conversations.answer("")[-1]

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        most = _EASY_OBJECTS if step < self._easy else MOST_OBJECTS
        start = self._first + step * self._size
        pictures = [self._draw(self._seed, index, most) for index in range(start, start + self._size)]
        targets = [patch_targets(picture) for picture in pictures]
        # A second stream beside the picture's own, so that the question does not depend on what was drawn.
        turns = [
            self._conversations.tokens(picture, np.random.default_rng([self._seed, start + offset, 1]))
            for offset, picture in enumerate(pictures)
        ]
        order = sorted(range(self._size), key=lambda row: len(turns[row][0]) + len(turns[row][1]))
        pictures, targets, turns = (
            [pictures[row] for row in order],
            [targets[row] for row in order],
            [turns[row] for row in order],
        )
        # Multiples of eight keep the number of different shapes, and so of memory layouts, small.
        length = -(-max(len(prompt) + len(answer) for prompt, answer in turns) // 8) * 8
        tokens = torch.full((self._size, length), self._padding)
        labels = torch.full((self._size, length), _IGNORED)
        for row, (prompt, answer) in enumerate(turns):
            tokens[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        return Batch(
            pixels=torch.from_numpy(np.stack([picture.pixels for picture in pictures])),
            targets=(
                torch.from_numpy(np.stack([kind for kind, _, _ in targets])),
                torch.from_numpy(np.stack([box for _, box, _ in targets])),
                torch.from_numpy(np.stack([colour for _, _, colour in targets])),
            ),
            tokens=tokens,
            labels=labels,
        )

    def after(self, step: int, workers: int) -> Iterator[Batch]:
        """The batches from ``step`` on, in order, drawn ahead by ``workers`` processes."""
        loader: DataLoader[Batch] = DataLoader(
            self,
            batch_size=None,
            sampler=range(step, self._steps),
            num_workers=workers,
            prefetch_factor=16 if workers else None,
        )
        yield from loader
