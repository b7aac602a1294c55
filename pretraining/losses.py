"""The language loss, and one step's total."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from pretraining.batches import Batch, normalise
from pretraining.tokenizer import COORDINATES, token_id

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

    from pretraining.auxiliary import PatchHeads

# Spread of a coordinate's target over its neighbours, in hundredths: to be off by one is nearly right, and a loss that
# says so learns to point much sooner. A pixel is 0.8 hundredths wide.
_SPREAD = 1.0
_PARTS = 8


class LanguageLoss:
    """Cross entropy over the assistant's tokens; a coordinate's target is a bell over its neighbours."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._first = token_id(tokenizer, COORDINATES[0])
        steps = torch.arange(len(COORDINATES))
        bell = torch.exp(-((steps[:, None] - steps) ** 2) / (2 * _SPREAD**2))
        self._targets = bell / bell.sum(dim=1, keepdim=True)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the supervised tokens of logits (n, vocabulary) and labels (n,)."""
        last = self._first + len(COORDINATES)
        pointing = (labels >= self._first) & (labels < last)
        words = functional.cross_entropy(logits[~pointing], labels[~pointing], reduction="sum")
        targets = self._targets[labels[pointing] - self._first]
        scores = functional.log_softmax(logits[pointing], dim=-1)[:, self._first : last]
        return (words - (targets * scores).sum()) / len(labels)


def see(model: LlavaForConditionalGeneration, batch: Batch) -> Tensor:
    """The tower's patches (batch, 64, width), without the class token."""
    features: Tensor = model.model.vision_tower(normalise(batch.pixels)).last_hidden_state
    return features[:, 1:]


def tower_loss(
    model: LlavaForConditionalGeneration, heads: PatchHeads, batch: Batch
) -> tuple[Tensor, dict[str, float]]:
    """The first phase's loss, of the tower alone, and its parts for the log."""
    loss = heads(see(model, batch), batch.targets)
    return loss, {"auxiliary": loss.item()}


def joint_loss(
    model: LlavaForConditionalGeneration, heads: PatchHeads, language: LanguageLoss, batch: Batch
) -> tuple[Tensor, dict[str, float]]:
    """The second phase's loss, language and half of the tower's, and its parts for the log.

    The model's own forward pass taken apart, so that the tower runs once for both losses and the vocabulary is scored
    for the assistant's tokens alone. A test holds it against the model's own.
    """
    features = see(model, batch)
    auxiliary = heads(features, batch.targets)
    wanted = batch.labels >= 0
    # Short conversations apart from long ones, each part cut to its longest: a fifth faster.
    parts = []
    for rows in torch.arange(len(wanted)).chunk(_PARTS):
        some = slice(int(rows[0]), int(rows[-1]) + 1)
        length = int(wanted[some].any(dim=0).nonzero().max()) + 1
        parts.append(language_logits(model, features[some], batch.tokens[some, :length], wanted[some, 1:length]))
    spoken = language(torch.cat(parts), batch.labels[wanted])
    return spoken + 0.5 * auxiliary, {"auxiliary": auxiliary.item(), "language": spoken.item()}


def language_logits(model: LlavaForConditionalGeneration, features: Tensor, tokens: Tensor, wanted: Tensor) -> Tensor:
    """Logits (n, vocabulary) at the positions ``wanted`` (batch, length - 1) for tokens (batch, length).

    The padding stands on the right, where no earlier token sees it, and so needs no mask.
    """
    embedded = model.get_input_embeddings()(tokens)
    places = (tokens == model.config.image_token_id)[..., None]
    embedded = embedded.masked_scatter(places, model.model.multi_modal_projector(features).to(embedded.dtype))
    hidden = model.model.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    logits: Tensor = model.lm_head(hidden[:, :-1][wanted])
    return logits
