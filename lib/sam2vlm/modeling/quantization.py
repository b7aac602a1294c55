"""Base weights in four bits (NF4 with double quantization; QLoRA, Dettmers et al. 2023), of the language model only."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import torch
from transformers import BitsAndBytesConfig

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.parts import projectors_of, vision_tower_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

__all__ = ["four_bit_options", "keep_exact"]

#: Weights that share a scale: bitsandbytes' default for NF4, and the paper's.
BLOCK = 64


def four_bit_options(model_class: Any, config: PretrainedConfig, dtype: torch.dtype) -> dict[str, Any]:
    """Return what ``from_pretrained`` takes to hold a language model's linear layers in four bits.

    Vision tower, projector and output layer stay as they are: they are small, and pictures suffer most. Transformers
    skips a module by its whole name only, so the names are read from the model's structure, built without weights.

    Args:
        model_class: The model's class.
        config: Its configuration.
        dtype: In which the four bits are multiplied, and of everything that is not quantized.

    Raises:
        SettingsError: bitsandbytes is not installed, or the model's parts have no known names.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise SettingsError(
            "needs the bitsandbytes package, which is not installed here; install sam2vlm[train], or choose lora",
            field="training.method",
            found="qlora",
        )
    with torch.device("meta"):
        structure = model_class(config)
    options: dict[str, Any] = {
        "quantization_config": BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # it carries no types
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=[vision_tower_of(structure), *projectors_of(structure), "lm_head"],
        )
    }
    if torch.cuda.is_available():
        # Quantized weights are loaded where they stay; left alone, every rank of a node would take the first GPU.
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    return options


def keep_exact(model: PreTrainedModel) -> None:
    """Have the CPU compute with the weights as they were quantized, or not at all.

    Where the processor has AVX-512 for bf16, bitsandbytes packs them again at the first answer, in place and with
    coarser scales, so that an evaluation would change what is trained, on some machines only.

    Raises:
        SettingsError: A layer's inputs are no multiple of a block. The CPU kernel of bitsandbytes 0.50 begins a new
            block with every row then, though the blocks were cut across the rows: its weights are wrong by more than
            twice what four bits cost (measured on rows of 160). CUDA's does not.
    """
    for name, module in model.named_modules():
        if not hasattr(module, "support_avx512bf16_for_cpu"):
            continue
        module.support_avx512bf16_for_cpu = False
        if module.weight.device.type == "cpu" and module.in_features % BLOCK:
            raise SettingsError(
                f"bitsandbytes multiplies wrongly on the CPU where a layer's inputs are no multiple of {BLOCK}; choose "
                "lora, or another model",
                source=name,
                field="training.method",
                found=f"qlora with {module.in_features} inputs",
            )
