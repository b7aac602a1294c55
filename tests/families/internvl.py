"""InternVL3. The template renders a question about one picture as the models' own does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import InternVLConfig, InternVLProcessor, InternVLVisionConfig, Qwen2Config
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from sam2vlm.modeling.without_video import VideoSettings, pictures_only
from tests.families.tiny import TEXT, TOWER, Family, tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, ProcessorMixin

SIDE, PATCH, MOST_TILES, TOKENS_A_TILE = 56, 14, 4, 4
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
TURNS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def processor() -> ProcessorMixin:
    """Make the processor: a picture in up to four tiles, and the whole of it as one more."""
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    words = tokenizer(SPECIAL, end="<|im_end|>", padding="<|endoftext|>", named=named)
    pictures = GotOcr2ImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, crop_to_patches=True, min_patches=1, max_patches=MOST_TILES
    )
    return pictures_only(InternVLProcessor)(
        pictures,
        words,
        VideoSettings({"video_processor_type": "InternVLVideoProcessor"}),
        image_seq_length=TOKENS_A_TILE,
        chat_template=TURNS,
    )


def configuration(made: ProcessorMixin) -> PretrainedConfig:
    """Make the model's configuration."""
    words = made.tokenizer
    vision = InternVLVisionConfig(
        **TOWER,
        image_size=[SIDE, SIDE],
        patch_size=[PATCH, PATCH],
    )
    return InternVLConfig(
        text_config=Qwen2Config(**TEXT, vocab_size=len(words)),
        vision_config=vision,
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=TOKENS_A_TILE,
    )


def picture_tokens(width: int, height: int) -> int:
    """Count by the published rule: the tiling nearest in shape, then nearest in area, and the whole picture."""
    tilings = [
        (across, down)
        for across in range(1, MOST_TILES + 1)
        for down in range(1, MOST_TILES + 1)
        if across * down <= MOST_TILES
    ]
    shape = width / height
    nearest = min(abs(shape - across / down) for across, down in tilings)
    tied = sorted(tiling[0] * tiling[1] for tiling in tilings if abs(shape - tiling[0] / tiling[1]) == nearest)
    # Of tilings of one shape the larger is taken only where the picture has more than half of its pixels.
    tiles = max((count for count in tied if width * height > 0.5 * SIDE * SIDE * count), default=tied[0])
    return TOKENS_A_TILE * (tiles + (tiles > 1))


INTERNVL = Family(
    name="internvl",
    class_name="InternVLForConditionalGeneration",
    processor=processor,
    configuration=configuration,
    picture_tokens=picture_tokens,
    picture_token="<IMG_CONTEXT>",
    end="<|im_end|>",
)
