"""PaliGemma 2. Its checkpoints have no template; what is written around a question is the processor's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import Gemma2Config, PaliGemmaConfig, PaliGemmaProcessor, SiglipVisionConfig
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.families.tiny import TEXT, TOWER, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

SIDE, PATCH = 56, 14
PICTURE_TOKENS = (SIDE // PATCH) ** 2
SPECIAL = ("<pad>", "<eos>", "<bos>", "<image>")


def processor() -> ProcessorMixin:
    """Make the processor: every picture to one square; it adds the tokens of places and of masks itself."""
    words = tokenizer(SPECIAL, end="<eos>", padding="<pad>", named={"image_token": "<image>"})
    # As the models' own: the processor writes it into the text.
    words.bos_token = "<bos>"
    pictures = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    pictures.image_seq_length = PICTURE_TOKENS
    return PaliGemmaProcessor(pictures, words)


def configuration(made: ProcessorMixin) -> PretrainedConfig:
    """Make the model's configuration: one layer that looks back a little, one that looks back all the way."""
    words = made.tokenizer
    text = Gemma2Config(
        **TEXT,
        vocab_size=len(words),
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
    )
    vision = SiglipVisionConfig(
        **TOWER,
        image_size=SIDE,
        patch_size=PATCH,
        vision_use_head=False,
    )
    return PaliGemmaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=TEXT["hidden_size"],
        hidden_size=TEXT["hidden_size"],
        vocab_size=len(words),
    )


PALIGEMMA = Family(
    name="paligemma",
    class_name="PaliGemmaForConditionalGeneration",
    processor=processor,
    configuration=configuration,
    picture_tokens=lambda _width, _height: PICTURE_TOKENS,
    picture_token="<image>",
    end="<eos>",
)
