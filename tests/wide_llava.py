"""A LLaVA of random weights whose layers are as wide as four-bit arithmetic on the CPU needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from sam2vlm.modeling.loading import load_processor
from sam2vlm.modeling.source import ModelSource, find_model

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, FEED_FORWARD = 128, 256


def wide_llava(folder: Path) -> ModelSource:
    """Save the packaged model's class, tokenizer and tower with a language model of other widths; name the folder."""
    packaged = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder
    config = LlavaConfig.from_pretrained(packaged)
    text = config.text_config
    text.hidden_size, text.intermediate_size = WIDTH, FEED_FORWARD
    text.num_attention_heads = text.num_key_value_heads = 4
    text.head_dim = WIDTH // 4
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config).float()
    # Transformers' own spread of 0.02 learns nothing in a few steps.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "language_model.layers" in name and weight.dim() == 2:
                weight.mul_(5)
    model.save_pretrained(folder)
    load_processor(packaged, name="tiny-llava").save_pretrained(folder)
    return find_model("tiny-llava", checkpoint=str(folder))
