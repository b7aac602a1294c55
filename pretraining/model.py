"""The tiny LLaVA: its configuration, its first weights and its processor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from pretraining.pictures import SIDE
from pretraining.tokenizer import CHAT_TEMPLATE, COORDINATES, IMAGE, MAX_LENGTH, token_id

PATCH = 16
#: Patches along a side; the picture is its square in tokens.
GRID = SIDE // PATCH
IMAGE_TOKENS = GRID * GRID
#: Numbers that the tower says about a patch.
TOWER_WIDTH = 128


# Standard deviation of the first weights of an embedding, Llama's own.
_FIRST_SPREAD = 0.02


def build_config(tokenizer: PreTrainedTokenizerFast) -> LlavaConfig:
    """The sizes: a CLIP tower of 4 layers of 128, a Llama of 4 layers of 160, 64 image tokens.

    ``default`` drops the tower's class token and leaves exactly the patches. The last layer is read, not the one
    before it as in LLaVA-1.5: four layers are too few to leave one unused.
    """
    vision = CLIPVisionConfig(
        hidden_size=TOWER_WIDTH,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=TOWER_WIDTH,
        hidden_act="gelu",
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=4,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=MAX_LENGTH,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    # Apart from the rest, since Transformers' own annotations leave them out.
    special: dict[str, Any] = {
        "image_token_id": token_id(tokenizer, IMAGE),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_seq_length=IMAGE_TOKENS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
        dtype="float32",
        **special,
    )


def build_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """LLaVA's processor: pad to a square, resize to 128 x 128, no crop, which would cut objects off."""
    pictures = LlavaImageProcessorPil(
        do_pad=True,
        do_resize=True,
        size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        # Unused without the crop, but it is where the processor reads its token count from.
        crop_size={"height": SIDE, "width": SIDE},
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        # The class token, which "default" takes off again.
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlavaForConditionalGeneration:
    """A model with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    config = build_config(tokenizer)
    model = LlavaForConditionalGeneration(config)
    first = token_id(tokenizer, COORDINATES[0])
    with torch.no_grad():
        for weight in (model.model.language_model.embed_tokens.weight, model.lm_head.weight):
            weight[first : first + len(COORDINATES)] = _ordered(weight.shape[1]) * _FIRST_SPREAD
    return model


def _ordered(width: int) -> Tensor:
    """First embeddings (100, width) for the coordinates, of unit variance: neighbours alike, as 0.41 and 0.42 are.

    Random waves of the value (random Fourier features): otherwise the order of a hundred unrelated tokens would have to
    be learnt pair by pair.
    """
    values = torch.arange(len(COORDINATES)) / len(COORDINATES)
    waves = torch.randn(width) * 3
    return torch.cos(2 * torch.pi * (values[:, None] * waves + torch.rand(width))) * 2**0.5
