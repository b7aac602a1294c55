"""The work that all three do, so that nothing but the way differs."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ACCUMULATION", "BATCH", "LEARNING_RATE", "RANK", "STEPS", "TARGET", "WARM", "make_model"]

BATCH, ACCUMULATION, RANK, LEARNING_RATE = 4, 2, 8, 1e-4
STEPS = 100
#: Steps before the clock starts: the first ones load, compile and fill caches.
WARM = 10
TARGET = r"model\.language_model\..*\.(q|k|v|o|gate|up|down)_proj"


def make_model(folder: Path) -> int:
    """Write a LLaVA of 0.92 million parameters and 64 image tokens, with the shipped model's processor.

    Returns:
        Its parameters.
    """
    import torch
    from transformers import AutoProcessor, LlavaConfig, LlavaForConditionalGeneration

    import sam2vlm

    shipped = Path(sam2vlm.__file__).parent / "modeling" / "tiny_llava"
    config = LlavaConfig.from_pretrained(shipped)
    config.text_config.update(
        {"hidden_size": 96, "intermediate_size": 264, "num_attention_heads": 3, "num_key_value_heads": 3}
    )
    config.vision_config.update({"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3})
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(shipped, backend="pil").save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())
