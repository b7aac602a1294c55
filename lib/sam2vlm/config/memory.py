"""What training a model needs on one GPU, before anything is loaded: by simulation, or by formula without torch."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol

from sam2vlm.config.gpus import GB
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.config.model_registry import VisionTower

__all__ = ["GPUS", "ModelShape", "adapter_parameters", "estimate_memory", "simulate_memory"]

#: Memory in GB and the cards that have it, smallest first.
GPUS = (
    (8, "8 GB (RTX 4060)"),
    (12, "12 GB (RTX 3060)"),
    (16, "16 GB (T4, RTX 4080)"),
    (24, "24 GB (RTX 4090, A10, L4)"),
    (40, "40 GB (A100)"),
    (48, "48 GB (A40, L40S)"),
    (80, "80 GB (A100, H100)"),
    (141, "141 GB (H200)"),
)
#: Share of a card that fragmentation and the allocator's rounding leave unusable.
HEADROOM = 0.9
#: CUDA context, cuBLAS workspaces and the collectives' buffers of one process.
RUNTIME_GB = 1.0
#: NF4 weights with double quantization: 4 bits and 0.127 bits of scales a weight (Dettmers et al. 2023, section 3).
NF4_BYTES = 4.127 / 8
SMALL_MODEL = 100_000_000

LIBRARIES = ("torch", "transformers", "peft")


class ModelShape(Protocol):
    """The dimensions that the estimate reads; a registry entry has them."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def class_name(self) -> str:
        """Its class in Transformers."""

    @property
    def parameters(self) -> int:
        """All weights."""

    @property
    def layers(self) -> int:
        """Decoder layers of the language model."""

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""

    @property
    def heads(self) -> int:
        """Attention heads."""

    @property
    def head_dim(self) -> int | None:
        """Width of a head where it is not the residual stream's over the heads."""

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""

    @property
    def intermediate(self) -> int:
        """Width inside of the feed-forward block."""

    @property
    def vocab(self) -> int:
        """Tokens of the output layer."""

    @property
    def max_positions(self) -> int:
        """Longest sequence in tokens."""

    @property
    def vision(self) -> VisionTower:
        """The vision tower."""

    @property
    def image_tokens(self) -> int:
        """Tokens that one picture takes."""


def estimate_memory(
    model: ModelShape,
    *,
    use_lora: bool = True,
    batch_size: int = 4,
    rank: int = 64,
    max_length: int = 2048,
    quantized: bool = False,
    gradient_checkpointing: bool = True,
    learning: tuple[str, ...] | None = None,
) -> Mapping[str, float | str]:
    """Estimate by formula the memory of one process that trains with AdamW in mixed precision, nothing sharded.

    With N weights, T trained ones, b samples of s tokens, L layers, width h, queries q, keys and values k,
    feed-forward width f and v tokens in the vocabulary, in bytes:

    - weights: 2 N (bf16), with 4-bit LoRA the language model's projections at 4.127 bits (Dettmers et al. 2023);
    - adapter: 4 T, PEFT keeps it in float32, with T = r L (sum of both widths of the seven projections)
      (Hu et al. 2021, section 4.1); without LoRA none;
    - gradients: 4 T for the adapter; 2 T for bf16 weights (Rajbhandari et al. 2020, ZeRO, section 3.1), T being N
      without the frozen parts;
    - optimizer: 8 T for the adapter, momentum and variance in float32; 12 T without LoRA, with the float32 master
      copy (the same section);
    - activations: what a decoder layer keeps for its backward pass, 2 b s (4 h + 2 q + 2 k + 4 f), an attention that
      does not keep its s x s scores (Korthikanti et al. 2022, section 4.1, counted again for RMSNorm, grouped
      keys and the gated feed-forward block); without checkpointing L times that, with it once, and 2 b s h L for
      the layers' inputs (the same paper, section 5);
    - logits: 10 b s v: bf16, its float32 copy in the loss, and that copy's gradient;
    - runtime: 1 GB for the CUDA context and workspaces.

    The frozen vision tower runs without gradients and its transient activations are smaller than a layer's. The
    published figures that this is checked against are within a factor of 1.5 (tests/unit/config/test_memory.py).

    Args:
        model: The model's dimensions.
        use_lora: Train an adapter on the language model's seven projections; otherwise the weights themselves.
        batch_size: Samples in one forward pass.
        rank: The adapter's rank.
        max_length: Tokens of the longest sample, image tokens included; at most the model's own positions count.
        quantized: Hold the language model's projections in 4 bits (QLoRA).
        gradient_checkpointing: Compute the activations twice instead of keeping them.
        learning: The parts that learn without LoRA, of ``language_model``, ``projector`` and ``vision_tower``; None
            takes all of them.

    Returns:
        ``total_vram_gb``, ``recommended_gpu`` (a card that holds it with a tenth to spare, in words), and the
        parts ``weights_gb``, ``adapter_gb``, ``gradients_gb``, ``optimizer_gb``, ``activations_gb``,
        ``logits_gb``, ``runtime_gb``; GB are 10^9 bytes, rounded to 0.01.

    Raises:
        SettingsError: A number below 1, 4-bit weights without an adapter, or a part that there is none of.
    """
    _refuse_nonsense(batch_size=batch_size, rank=rank, max_length=max_length)
    if quantized and not use_lora:
        raise SettingsError("4-bit weights cannot be trained themselves; use an adapter on them", field="quantized")
    tokens = batch_size * min(max_length, model.max_positions)
    adapter = adapter_parameters(model, rank) if use_lora else 0
    whole = 0 if use_lora else _learning_parameters(model, learning)
    parts = {
        "weights_gb": _weights_bytes(model, quantized=quantized),
        "adapter_gb": 4.0 * adapter,
        "gradients_gb": 4.0 * adapter + 2.0 * whole,
        "optimizer_gb": 8.0 * adapter + 12.0 * whole,
        "activations_gb": _activation_bytes(model, tokens, checkpointing=gradient_checkpointing),
        "logits_gb": 10.0 * tokens * model.vocab,
        "runtime_gb": RUNTIME_GB * GB,
    }
    total = sum(parts.values()) / GB
    rounded = {name: round(size / GB, 2) for name, size in parts.items()}
    return {"total_vram_gb": round(total, 2), "recommended_gpu": _recommended(model, total), **rounded}


def simulate_memory(
    model: ModelShape,
    *,
    use_lora: bool = True,
    batch_size: int = 4,
    rank: int = 64,
    max_length: int = 2048,
    quantized: bool = False,
    gradient_checkpointing: bool = True,
    learning: tuple[str, ...] | None = None,
) -> Mapping[str, float | str]:
    """Take the memory of one process from a simulated step of the real architecture; see docs/plan.md.

    Where torch is not installed, or a family cannot be built from the registry's dimensions, the formula of
    :func:`estimate_memory` answers.

    Args:
        model: The model, of the registry.
        use_lora: As in :func:`estimate_memory`, and so are the others.
        batch_size: Samples in one forward pass.
        rank: The adapter's rank.
        max_length: Tokens of the longest sample; a picture with a question and an answer is never planned shorter.
        quantized: Hold the language model's projections in 4 bits.
        gradient_checkpointing: Compute the activations twice instead of keeping them.
        learning: The parts that learn without LoRA; None takes all of them.

    Returns:
        What :func:`estimate_memory` does, and ``estimated_by``: ``simulation`` or ``formula``.

    Raises:
        SettingsError: As there.
    """
    by_formula = estimate_memory(
        model,
        use_lora=use_lora,
        batch_size=batch_size,
        rank=rank,
        max_length=max_length,
        quantized=quantized,
        gradient_checkpointing=gradient_checkpointing,
        learning=learning,
    )
    if any(importlib.util.find_spec(library) is None for library in LIBRARIES):
        return {**by_formula, "estimated_by": "formula"}
    # Upwards, here alone: the registry's answer comes from the models' real classes. Imported when it is asked for.
    from sam2vlm.config.training_config import TEXT_TOKENS
    from sam2vlm.modeling.simulation import can_simulate, simulate_lengths

    if not can_simulate(model.class_name):
        return {**by_formula, "estimated_by": "formula"}
    parts = simulate_lengths(
        model.name,
        method="full" if not use_lora else "qlora" if quantized else "lora",
        batch_size=batch_size,
        rank=rank,
        tokens=min(max(max_length, model.image_tokens + TEXT_TOKENS), model.max_positions),
        gradient_checkpointing=gradient_checkpointing,
        learning=learning,
    )
    total = sum(parts.values()) / GB
    named = {f"{'runtime' if part == 'workspace' else part}_gb": round(size / GB, 2) for part, size in parts.items()}
    return {
        "total_vram_gb": round(total, 2),
        "recommended_gpu": _recommended(model, total),
        **named,
        "estimated_by": "simulation",
    }


def adapter_parameters(model: ModelShape, rank: int) -> int:
    """Return the weights of a LoRA adapter on the seven projections of every decoder layer."""
    attention = 2 * (model.hidden + _query_width(model)) + 2 * (model.hidden + _key_width(model))
    feed_forward = 3 * (model.hidden + model.intermediate)
    return rank * model.layers * (attention + feed_forward)


def _learning_parameters(model: ModelShape, learning: tuple[str, ...] | None) -> int:
    if learning is None:
        return model.parameters
    tower, grid = model.vision, (model.vision.image_size // model.vision.patch_size) ** 2
    layers = tower.layers * (4 * tower.hidden**2 + 2 * tower.hidden * tower.intermediate)
    sizes = {
        "vision_tower": layers + (3 * tower.patch_size**2 + grid) * tower.hidden,
        # LLaVA-1.5's two layers; other families' are as small beside the rest.
        "projector": model.hidden * (tower.hidden + model.hidden),
    }
    sizes["language_model"] = model.parameters - sum(sizes.values())
    for part in learning:
        if part not in sizes:
            raise SettingsError("wrong value", field="learning", expected=" or ".join(sorted(sizes)), found=part)
    return sum(sizes[part] for part in learning)


def _projection_parameters(model: ModelShape) -> int:
    attention = 2 * model.hidden * (_query_width(model) + _key_width(model))
    return model.layers * (attention + 3 * model.hidden * model.intermediate)


def _query_width(model: ModelShape) -> int:
    return (model.head_dim or model.hidden // model.heads) * model.heads


def _key_width(model: ModelShape) -> int:
    return (model.head_dim or model.hidden // model.heads) * model.kv_heads


def _weights_bytes(model: ModelShape, *, quantized: bool) -> float:
    in_four_bits = _projection_parameters(model) if quantized else 0
    return 2.0 * (model.parameters - in_four_bits) + NF4_BYTES * in_four_bits


def _activation_bytes(model: ModelShape, tokens: int, *, checkpointing: bool) -> float:
    attention = 2 * _query_width(model) + 2 * _key_width(model)
    layer = 2.0 * tokens * (4 * model.hidden + attention + 4 * model.intermediate)
    if not checkpointing:
        return layer * model.layers
    return layer + 2.0 * tokens * model.hidden * model.layers


def _recommended(model: ModelShape, total_gb: float) -> str:
    if model.parameters < SMALL_MODEL and total_gb <= GPUS[0][0] * HEADROOM:
        return "none needed: two CPU cores, or any GPU"
    for size, cards in GPUS:
        if total_gb <= size * HEADROOM:
            return cards
    return f"no single card: {total_gb:.0f} GB; lower the batch size or the length, or shard over several cards"


def _refuse_nonsense(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise SettingsError("wrong value", field=name, expected="at least 1", found=number)
