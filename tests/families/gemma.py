"""Gemma 3. The template renders a question about one picture as the models' own does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import Gemma3Config, Gemma3Processor, Gemma3TextConfig, SiglipVisionConfig
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from tests.families.tiny import TEXT, TOWER, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

SIDE, PATCH, PICTURE_TOKENS = 56, 14, 4
SPECIAL = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)
TURNS = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<start_of_image>{% else %}{{ part.text | trim }}{% endif %}{% endfor %}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def processor() -> ProcessorMixin:
    """Make the processor: every picture to one square, without pan and scan."""
    words = tokenizer(
        SPECIAL,
        begin="<bos>",
        end="<eos>",
        padding="<pad>",
        named={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
    )
    pictures = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return Gemma3Processor(pictures, words, chat_template=TURNS, image_seq_length=PICTURE_TOKENS)


def configuration(made: ProcessorMixin) -> PretrainedConfig:
    """Make the model's configuration: one layer that looks back a little, one that looks back all the way."""
    words = made.tokenizer
    text = Gemma3TextConfig(
        **TEXT,
        vocab_size=len(words),
        head_dim=16,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
    )
    vision = SiglipVisionConfig(
        **TOWER,
        image_size=SIDE,
        patch_size=PATCH,
    )
    return Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=PICTURE_TOKENS,
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
    )


GEMMA3 = Family(
    name="gemma3",
    class_name="Gemma3ForConditionalGeneration",
    processor=processor,
    configuration=configuration,
    picture_tokens=lambda _width, _height: PICTURE_TOKENS,
    picture_token="<image_soft_token>",
    end="<end_of_turn>",
)
