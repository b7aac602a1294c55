"""SmolVLM2. The template renders a question about one picture as the models' own does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import LlamaConfig, SmolVLMConfig, SmolVLMProcessor
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from sam2vlm.modeling.without_video import VideoSettings, pictures_only
from tests.families.tiny import TEXT, TOWER, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

TILE, PATCH, SCALE, MOST_ACROSS = 32, 8, 2, 3
TOKENS_A_TILE = (TILE // PATCH // SCALE) ** 2
NAMED = {
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "image_token": "<image>",
    "end_of_utterance_token": "<end_of_utterance>",
}
PLACES = tuple(f"<row_{down}_col_{across}>" for down in range(1, 4) for across in range(1, 4))
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *NAMED.values(), *PLACES)
TURNS = (
    "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}"
    "{% if message.content[0].type == 'image' %}:{% else %}{{ ': ' }}{% endif %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


def processor() -> ProcessorMixin:
    """Make the processor: a picture in up to three tiles across or down, and the whole of it as one more."""
    words = tokenizer(SPECIAL, end="<end_of_utterance>", padding="<|im_end|>", named=NAMED)
    words.bos_token = "<|im_start|>"
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": MOST_ACROSS * TILE}, max_image_size={"longest_edge": TILE}
    )
    video = {"video_processor_type": "SmolVLMVideoProcessor", "num_frames": 64, "fps": 1}
    return pictures_only(SmolVLMProcessor)(
        pictures, words, VideoSettings(video), image_seq_len=TOKENS_A_TILE, chat_template=TURNS
    )


def configuration(made: ProcessorMixin) -> PretrainedConfig:
    """Make the model's configuration."""
    words = made.tokenizer
    vision = SmolVLMVisionConfig(
        **TOWER,
        image_size=TILE,
        patch_size=PATCH,
    )
    return SmolVLMConfig(
        text_config=LlamaConfig(**TEXT, vocab_size=len(words), pad_token_id=words.pad_token_id),
        vision_config=vision,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=SCALE,
    )


def picture_tokens(width: int, height: int) -> int:
    """Count by the published rule: the longer side to its full length, cut into tiles, and the whole picture."""
    shorter = int(MOST_ACROSS * TILE / (max(width, height) / min(width, height)))
    return TOKENS_A_TILE * (MOST_ACROSS * -(-(shorter + shorter % 2) // TILE) + 1)


SMOLVLM = Family(
    name="smolvlm",
    class_name="SmolVLMForConditionalGeneration",
    processor=processor,
    configuration=configuration,
    picture_tokens=picture_tokens,
    picture_token="<image>",
    end="<end_of_utterance>",
)
