"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL. The templates render a question about one picture as the models' own do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import transformers
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from sam2vlm.modeling.without_video import VideoSettings, pictures_only
from tests.families.tiny import TEXT, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TURNS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Before Qwen3 the template says this to whoever gives no system prompt.
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
MOST_PIXELS = 12_544


def processor(kind: str, *, patch: int, template: str) -> ProcessorMixin:
    """Make the processor, its pictures of at most 12,544 pixels."""
    pictures = Qwen2VLImageProcessorPil(
        patch_size=patch, merge_size=2, size={"shortest_edge": 3136, "longest_edge": MOST_PIXELS}
    )
    words = tokenizer(SPECIAL, end="<|im_end|>", padding="<|endoftext|>")
    video = VideoSettings({"video_processor_type": "Qwen2VLVideoProcessor", "patch_size": patch})
    return pictures_only(getattr(transformers, kind))(pictures, words, video, chat_template=template)


def configuration(kind: str, made: ProcessorMixin, *, text: dict[str, Any], vision: dict[str, Any]) -> PretrainedConfig:
    """Make the model's configuration."""
    words = made.tokenizer
    ids = {
        f"{name}_token_id": words.convert_tokens_to_ids(token)
        for name, token in {
            "image": "<|image_pad|>",
            "video": "<|video_pad|>",
            "vision_start": "<|vision_start|>",
            "vision_end": "<|vision_end|>",
        }.items()
    }
    return getattr(transformers, kind)(
        text_config={**TEXT, "vocab_size": len(words), **text}, vision_config=vision, **ids
    )


def picture_tokens(width: int, height: int, *, factor: int) -> int:
    """Count by the published rule: both sides to the nearest multiple of the factor, within the bounds of the area."""
    across, down = round(width / factor), round(height / factor)
    scale = factor * factor
    if across * down * scale > MOST_PIXELS:
        shrink = (width * height / MOST_PIXELS) ** 0.5
        across, down = int(width / shrink // factor), int(height / shrink // factor)
    elif across * down * scale < 3136:
        grow = (3136 / (width * height)) ** 0.5
        across, down = -int(-width * grow // factor), -int(-height * grow // factor)
    return max(across, 1) * max(down, 1)


SECTIONS = {"rope_type": "default", "type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10_000.0}
QWEN2_VL = Family(
    name="qwen2_vl",
    class_name="Qwen2VLForConditionalGeneration",
    processor=functools.partial(processor, "Qwen2VLProcessor", patch=14, template=SYSTEM + TURNS),
    configuration=functools.partial(
        configuration,
        "Qwen2VLConfig",
        text={"rope_parameters": SECTIONS},
        vision={"depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": 32, "mlp_ratio": 2},
    ),
    picture_tokens=functools.partial(picture_tokens, factor=28),
    picture_token="<|image_pad|>",
    end="<|im_end|>",
)
QWEN2_5_VL = Family(
    name="qwen2_5_vl",
    class_name="Qwen2_5_VLForConditionalGeneration",
    processor=functools.partial(processor, "Qwen2_5_VLProcessor", patch=14, template=SYSTEM + TURNS),
    configuration=functools.partial(
        configuration,
        "Qwen2_5_VLConfig",
        text={"rope_parameters": SECTIONS},
        vision={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
    ),
    picture_tokens=functools.partial(picture_tokens, factor=28),
    picture_token="<|image_pad|>",
    end="<|im_end|>",
)
QWEN3_VL = Family(
    name="qwen3_vl",
    class_name="Qwen3VLForConditionalGeneration",
    processor=functools.partial(processor, "Qwen3VLProcessor", patch=16, template=TURNS),
    configuration=functools.partial(
        configuration,
        "Qwen3VLConfig",
        text={
            "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10_000.0},
        },
        vision={
            "depth": 3,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
    ),
    picture_tokens=functools.partial(picture_tokens, factor=32),
    picture_token="<|image_pad|>",
    end="<|im_end|>",
)
