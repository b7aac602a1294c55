"""Configurations of Transformers' classes from the registry's dimensions: no hub is asked.

What the registry does not say is the families' own and the same for all of their models. That these make models of the
registered size is a test.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from transformers import (
    CLIPVisionConfig,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    InternVLConfig,
    InternVLVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaNextConfig,
    LlavaOnevisionConfig,
    MistralConfig,
    PaliGemmaConfig,
    PretrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen3VLConfig,
    SiglipVisionConfig,
    SmolVLMConfig,
)
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

if TYPE_CHECKING:
    from sam2vlm.config.model_registry import ModelEntry

__all__ = [
    "SMOLVLM_TILES_ACROSS",
    "gemma3",
    "internvl",
    "llava",
    "llava_next",
    "llava_onevision",
    "paligemma",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_vl",
    "smolvlm",
]

#: Which of Qwen3-VL's tower's layers also reach the language model's first ones, by the tower's depth.
DEEPSTACK = {24: [5, 11, 17], 27: [8, 16, 24]}
#: InternViT-6B normalizes queries and keys; the smaller tower does not.
LARGE_INTERNVIT = 45
#: SmolVLM2 brings a picture's longer side to that of four tiles.
SMOLVLM_TILES_ACROSS = 4


def llava(entry: ModelEntry) -> PretrainedConfig:
    """LLaVA-1.5: Llama and CLIP."""
    return LlavaConfig(
        text_config=LlamaConfig(**_text(entry)),
        vision_config=CLIPVisionConfig(**_square_tower(entry)),
        image_token_index=_picture_token(entry),
        image_seq_length=entry.image_tokens,
    )


def llava_next(entry: ModelEntry) -> PretrainedConfig:
    """LLaVA-NeXT: Mistral or Llama, and CLIP."""
    text = (
        MistralConfig(**_text(entry), sliding_window=None) if "mistral" in entry.name else LlamaConfig(**_text(entry))
    )
    return LlavaNextConfig(
        text_config=text,
        vision_config=CLIPVisionConfig(**_square_tower(entry)),
        image_token_index=_picture_token(entry),
    )


def llava_onevision(entry: ModelEntry) -> PretrainedConfig:
    """LLaVA-OneVision: Qwen2 and SigLIP without its pooling head."""
    return LlavaOnevisionConfig(
        text_config=Qwen2Config(**_text(entry)),
        vision_config=SiglipVisionConfig(**_square_tower(entry), vision_use_head=False),
        image_token_index=_picture_token(entry),
        tie_word_embeddings=entry.tied,
    )


def qwen2_vl(entry: ModelEntry) -> PretrainedConfig:
    """Qwen2-VL."""
    vision = entry.vision
    tower = {
        "depth": vision.layers,
        "embed_dim": vision.hidden,
        "num_heads": vision.heads,
        "mlp_ratio": vision.intermediate // vision.hidden,
        "hidden_size": entry.hidden,
        "patch_size": vision.patch_size,
    }
    return Qwen2VLConfig(**_qwen(entry, tower))


def qwen2_5_vl(entry: ModelEntry) -> PretrainedConfig:
    """Qwen2.5-VL: four of the tower's layers look at the whole picture, the others at windows of it."""
    return Qwen2_5_VLConfig(**_qwen(entry, _qwen_tower(entry)))


def qwen3_vl(entry: ModelEntry) -> PretrainedConfig:
    """Qwen3-VL."""
    vision = entry.vision
    own = {
        "deepstack_visual_indexes": DEEPSTACK[vision.layers],
        "num_position_embeddings": (vision.image_size // vision.patch_size) ** 2,
    }
    made = _qwen(entry, _qwen_tower(entry) | own)
    made["text_config"] |= {
        "head_dim": _head_dim(entry),
        "rope_parameters": {"rope_type": "default", "mrope_section": [24, 20, 20], "rope_theta": 5e6},
    }
    return Qwen3VLConfig(**made)


def internvl(entry: ModelEntry) -> PretrainedConfig:
    """InternVL3: Qwen2 and InternViT."""
    tower = _square_tower(entry)
    sides = {name: [tower[name], tower[name]] for name in ("image_size", "patch_size")}
    return InternVLConfig(
        text_config=Qwen2Config(**_text(entry)),
        vision_config=InternVLVisionConfig(**tower | sides, use_qk_norm=entry.vision.layers >= LARGE_INTERNVIT),
        image_token_id=_picture_token(entry),
        tie_word_embeddings=entry.tied,
    )


def gemma3(entry: ModelEntry) -> PretrainedConfig:
    """Gemma 3: five layers in six look back 1024 tokens; SigLIP without its pooling head."""
    return Gemma3Config(
        text_config=Gemma3TextConfig(**_text(entry), head_dim=_head_dim(entry), sliding_window=1024),
        vision_config=SiglipVisionConfig(**_square_tower(entry), vision_use_head=False),
        mm_tokens_per_image=entry.image_tokens,
        image_token_index=_picture_token(entry),
    )


def smolvlm(entry: ModelEntry) -> PretrainedConfig:
    """SmolVLM2: Llama and SigLIP. So many patches across become one as a square's tiles and its whole then fill."""
    tiles = SMOLVLM_TILES_ACROSS**2 + 1
    patches = (entry.vision.image_size // entry.vision.patch_size) ** 2
    return SmolVLMConfig(
        text_config=LlamaConfig(**_text(entry)),
        vision_config=SmolVLMVisionConfig(**_square_tower(entry)),
        image_token_id=_picture_token(entry),
        scale_factor=math.isqrt(patches * tiles // entry.image_tokens),
        tie_word_embeddings=entry.tied,
    )


def paligemma(entry: ModelEntry) -> PretrainedConfig:
    """PaliGemma 2: Gemma 2, in which every other layer looks back 4096 tokens; SigLIP without its pooling head."""
    return PaliGemmaConfig(
        text_config=Gemma2Config(**_text(entry), head_dim=_head_dim(entry), sliding_window=4096),
        vision_config=SiglipVisionConfig(**_square_tower(entry), vision_use_head=False),
        image_token_index=_picture_token(entry),
        projection_dim=entry.hidden,
        hidden_size=entry.hidden,
        vocab_size=entry.vocab,
        tie_word_embeddings=entry.tied,
    )


def _picture_token(entry: ModelEntry) -> int:
    assert entry.image_token_id is not None  # noqa: S101  told to mypy; these families have one
    return entry.image_token_id


def _head_dim(entry: ModelEntry) -> int:
    return entry.head_dim or entry.hidden // entry.heads


def _text(entry: ModelEntry) -> dict[str, Any]:
    return {
        "vocab_size": entry.vocab,
        "hidden_size": entry.hidden,
        "intermediate_size": entry.intermediate,
        "num_hidden_layers": entry.layers,
        "num_attention_heads": entry.heads,
        "num_key_value_heads": entry.kv_heads,
        "max_position_embeddings": entry.max_positions,
        "tie_word_embeddings": entry.tied,
    }


def _square_tower(entry: ModelEntry) -> dict[str, Any]:
    return {
        "hidden_size": entry.vision.hidden,
        "intermediate_size": entry.vision.intermediate,
        "num_hidden_layers": entry.vision.layers,
        "num_attention_heads": entry.vision.heads,
        "image_size": entry.vision.image_size,
        "patch_size": entry.vision.patch_size,
    }


def _qwen_tower(entry: ModelEntry) -> dict[str, Any]:
    vision = entry.vision
    return {
        "depth": vision.layers,
        "hidden_size": vision.hidden,
        "num_heads": vision.heads,
        "intermediate_size": vision.intermediate,
        "out_hidden_size": entry.hidden,
        "patch_size": vision.patch_size,
    }


def _qwen(entry: ModelEntry, tower: dict[str, Any]) -> dict[str, Any]:
    positions = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    return {
        "text_config": {**_text(entry), "rope_parameters": positions},
        "vision_config": tower,
        "image_token_id": entry.image_token_id,
        "tie_word_embeddings": entry.tied,
    }
