"""LLaVA-1.5, LLaVA-NeXT and LLaVA-OneVision. The templates render a question about one picture as the models' do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionProcessor,
    LlavaProcessor,
    MistralConfig,
    Qwen2Config,
    SiglipVisionConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

from sam2vlm.modeling.without_video import VideoSettings, pictures_only
from tests.families.tiny import TEXT, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

SIDE, PATCH = 56, 14
GRID = SIDE // PATCH
#: Height and width of the tilings that a picture may be cut into.
TILINGS = ((SIDE, 2 * SIDE), (2 * SIDE, SIDE), (2 * SIDE, 2 * SIDE))
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
LLAVA_1_5_TURNS = (
    "{% for message in messages %}{{ message.role.upper() }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>\n{% endif %}{% endfor %}{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
LLAVA_NEXT_MISTRAL_TURNS = (
    "{% for message in messages %}{% if message.role == 'user' %}[INST] {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>\n{% else %}{{ part.text }}{% endif %}{% endfor %} [/INST]"
    "{% else %} {{ message.content[0].text }}</s> {% endif %}{% endfor %}"
)
# Other blanks where it asks for an answer than before one that it writes, as in the models' repositories.
LLAVA_ONEVISION_TURNS = (
    "{% for message in messages %}<|im_start|>{{ message.role }} {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ '\n' + part.text }}{% endif %}{% endfor %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def llava_processor() -> ProcessorMixin:
    """Make LLaVA-1.5's: pictures brought to a square by their shorter side, and cropped."""
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    words = tokenizer(("<unk>", "<s>", "</s>", "<pad>", "<image>"), begin="<s>", end="</s>", padding="<pad>")
    return LlavaProcessor(
        pictures,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_1_5_TURNS,
    )


def llava_next_processor() -> ProcessorMixin:
    """Make LLaVA-NeXT's: the whole picture, and its tiles."""
    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_grid_pinpoints=[list(tiling) for tiling in TILINGS],
    )
    words = tokenizer(("<unk>", "<s>", "</s>", "<pad>", "<image>"), begin="<s>", end="</s>", padding="<pad>")
    return LlavaNextProcessor(
        pictures,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_NEXT_MISTRAL_TURNS,
    )


def llava_onevision_processor() -> ProcessorMixin:
    """Make LLaVA-OneVision's: the whole picture, and its tiles."""
    pictures = LlavaOnevisionImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=[list(tiling) for tiling in TILINGS]
    )
    words = tokenizer(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"), end="<|im_end|>", padding="<|endoftext|>"
    )
    return pictures_only(LlavaOnevisionProcessor)(
        pictures,
        words,
        VideoSettings({"video_processor_type": "LlavaOnevisionVideoProcessor"}),
        num_image_tokens=GRID * GRID,
        vision_feature_select_strategy="full",
        chat_template=LLAVA_ONEVISION_TURNS,
    )


def configuration(kind: Any, text: Any, vision: Any, made: ProcessorMixin, **own: Any) -> PretrainedConfig:
    """Make the model's configuration."""
    words = made.tokenizer
    return kind(
        text_config=text(vocab_size=len(words), **TEXT),
        vision_config=vision(**TOWER),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        **own,
    )


def tiled_picture_tokens(width: int, height: int) -> int:
    """Count by the published rule: the whole picture, then its tiles without their padding, a newline each row."""

    def gain(tiling: tuple[int, int]) -> tuple[int, int]:
        scale = min(tiling[1] / width, tiling[0] / height)
        shown = min(int(width * scale) * int(height * scale), width * height)
        return shown, shown - tiling[0] * tiling[1]

    down, across = (side // PATCH for side in max(TILINGS, key=gain))
    if width / height > across / down:
        down -= 2 * ((down - int(height * across / width)) // 2)
    else:
        across -= 2 * ((across - int(width * down / height)) // 2)
    return GRID * GRID + down * (across + 1)


LLAVA = Family(
    name="llava",
    class_name="LlavaForConditionalGeneration",
    processor=llava_processor,
    configuration=functools.partial(configuration, LlavaConfig, LlamaConfig, CLIPVisionConfig),
    picture_tokens=lambda _width, _height: GRID * GRID,
    picture_token="<image>",
    end="</s>",
)
LLAVA_NEXT = Family(
    name="llava_next",
    class_name="LlavaNextForConditionalGeneration",
    processor=llava_next_processor,
    configuration=functools.partial(
        configuration,
        LlavaNextConfig,
        MistralConfig,
        CLIPVisionConfig,
        image_grid_pinpoints=[list(tiling) for tiling in TILINGS],
    ),
    picture_tokens=tiled_picture_tokens,
    picture_token="<image>",
    end="</s>",
)
LLAVA_ONEVISION = Family(
    name="llava_onevision",
    class_name="LlavaOnevisionForConditionalGeneration",
    processor=llava_onevision_processor,
    configuration=functools.partial(
        configuration,
        LlavaOnevisionConfig,
        Qwen2Config,
        SiglipVisionConfig,
        image_grid_pinpoints=[list(tiling) for tiling in TILINGS],
        vision_feature_layer=-1,
        video_token_index=4,
    ),
    picture_tokens=tiled_picture_tokens,
    picture_token="<image>",
    end="<|im_end|>",
)
