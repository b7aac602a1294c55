"""One training step on the meta device: forward, backward, optimizer, with every storage's life followed."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from sam2vlm.config.device_config import BUCKET, SHARDED_WEIGHTS
from sam2vlm.config.memory import RUNTIME_GB
from sam2vlm.config.model_registry import ModelRegistry
from sam2vlm.config.workload import Footprint, Workload
from sam2vlm.modeling.devices import DTYPES
from sam2vlm.modeling.lora import ADAPTER_KEY
from sam2vlm.modeling.simulation.architecture import build_model, checkpoint_folder
from sam2vlm.modeling.simulation.batches import ShownPicture, one_batch, show_picture
from sam2vlm.modeling.simulation.kernels import Nf4Linear
from sam2vlm.modeling.simulation.ledger import PARTS, StorageLedger

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from transformers import PretrainedConfig

__all__ = ["simulate", "simulate_lengths"]


def simulate(workload: Workload, folder: Path | None = None) -> Footprint:
    """Return what one process needs at the highest moment of a training step, and its operations.

    Args:
        workload: The step.
        folder: The checkpoint's, for its configuration; None builds from the registry.

    Raises:
        SettingsError: The architecture cannot be built, or the adapter fits no module.
    """
    # More than two micro-batches need what two do.
    return _simulated(replace(workload, accumulation=min(2, workload.accumulation)), folder)


@functools.lru_cache(maxsize=64)
def _simulated(workload: Workload, folder: Path | None) -> Footprint:
    model, picture = _built(
        replace(workload, batch_size=1, tokens=1, answer_tokens=None, padded=False, accumulation=1), folder
    )
    config: PretrainedConfig = model.config  # type: ignore[assignment]  # nn.Module's attributes are untyped
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    shares = {part: workload.share(part) for part in PARTS}
    ledger = StorageLedger(vocabulary=config.get_text_config().vocab_size, shares=shares)
    _hold_weights(model, ledger)
    optimizer, masters = _optimizer(trained, ledger, workload)
    if workload.accumulation > 1:
        # The second micro-batch finds the first one's gradients.
        for weight in trained:
            weight.grad = torch.empty_like(weight)
            ledger.hold(weight.grad, "gradients")
    batch = one_batch(workload, model, picture)
    with ledger:
        _forward_and_backward(model, batch, trained, ledger)
        flops = ledger.flops
        _step(optimizer, masters, trained, ledger)
    peak = {part: round(size) for part, size in ledger.peak.items()}
    for weight in trained:
        weight.grad = None
    numbers = sum(weight.numel() for weight in trained)
    return Footprint(
        **peak,
        workspace=round(_workspace(model, numbers, workload)),
        flops=flops,
        trained=numbers,
        parameters=_base_numbers(model),
        image_tokens=picture.tokens,
    )


def simulate_lengths(
    model: str,
    *,
    method: str,
    batch_size: int,
    rank: int,
    tokens: int,
    gradient_checkpointing: bool,
    learning: tuple[str, ...] | None = None,
) -> dict[str, int]:
    """Return the bytes by part of a usual bf16 step on one GPU, for who cannot make a workload himself.

    Args:
        model: The model's name in the registry.
        method: ``lora``, ``qlora`` or ``full``.
        batch_size: Samples in one forward pass.
        rank: Of the adapter.
        tokens: Of each sample, image tokens included.
        gradient_checkpointing: Compute activations twice instead of keeping them.
        learning: The parts that method full trains; None takes every weight.
    """
    return simulate(
        Workload(
            model=model,
            method=method,
            batch_size=batch_size,
            rank=rank,
            tokens=tokens,
            padded=batch_size > 1,
            gradient_checkpointing=gradient_checkpointing,
            learning=learning,
        )
    ).parts


@functools.lru_cache(maxsize=1)
def _built(workload: Workload, folder: Path | None) -> tuple[nn.Module, ShownPicture]:
    """Keep the last model: a search asks for many batches of it, and building takes as long as a step."""
    model, entry = build_model(workload, folder), ModelRegistry.get(workload.model)
    return model, show_picture(model, workload, entry, checkpoint_folder(entry, folder))


def _hold_weights(model: nn.Module, ledger: StorageLedger) -> None:
    for name, weight in model.named_parameters():
        ledger.hold(weight, "adapter" if ADAPTER_KEY in name else "weights")
    for values in model.buffers():
        ledger.hold(values, "weights")


def _forward_and_backward(
    model: nn.Module, batch: dict[str, Any], trained: list[nn.Parameter], ledger: StorageLedger
) -> None:
    def collected(weight: torch.Tensor) -> None:
        assert weight.grad is not None  # noqa: S101  the hook runs behind its making
        ledger.hold(weight.grad, "gradients")

    hooks = [weight.register_post_accumulate_grad_hook(collected) for weight in trained]  # type: ignore[no-untyped-call]
    for values in batch.values():
        if isinstance(values, torch.Tensor):
            ledger.hold(values, "activations")
    loss = model(**batch).loss
    loss.backward()
    for hook in hooks:
        hook.remove()


def _optimizer(
    trained: list[nn.Parameter], ledger: StorageLedger, workload: Workload
) -> tuple[torch.optim.AdamW, list[torch.Tensor]]:
    """Return AdamW with its state in place, and the float32 copies that it moves where arithmetic is in half."""
    masters = [weight if weight.dtype == torch.float32 else _master(weight) for weight in trained]
    # On CUDA torch steps all weights at once, on the CPU one after the other; on meta it would do the latter.
    optimizer = torch.optim.AdamW(masters, lr=1e-3, foreach=workload.device == "cuda")
    for master in masters:
        master.grad = torch.empty_like(master)
    with StorageLedger():  # beside the step's own: what makes the state is gone by then
        optimizer.step()
    optimizer.zero_grad()
    for master, weight in zip(masters, trained, strict=True):
        if master is not weight:
            ledger.hold(master, "optimizer")
        for values in optimizer.state[master].values():
            if values.is_meta:
                ledger.hold(values, "optimizer")
    return optimizer, masters


def _master(weight: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(weight, dtype=torch.float32, requires_grad=True)


def _step(
    optimizer: torch.optim.AdamW, masters: list[torch.Tensor], trained: list[nn.Parameter], ledger: StorageLedger
) -> None:
    ledger.assign("optimizer")
    for master, weight in zip(masters, trained, strict=True):
        if master is not weight and weight.grad is not None:
            master.grad = weight.grad.to(torch.float32)
    optimizer.step()
    optimizer.zero_grad()
    ledger.assign(None)


def _workspace(model: nn.Module, trained: int, workload: Workload) -> float:
    if workload.device != "cuda":
        return 0.0
    width = DTYPES[workload.precision].itemsize
    buckets = 2 * min(BUCKET, trained) * width if workload.zero_stage > 0 else 0
    gathered = 0
    if workload.zero_stage >= SHARDED_WEIGHTS and workload.processes > 1:
        # The layer that is computed and the one that is fetched meanwhile (ZeRO-Infinity, section 5.1.4).
        gathered = 2 * max(map(_bytes_of, _layers(model)))
    return RUNTIME_GB * 1e9 + buckets + gathered


def _layers(model: nn.Module) -> list[nn.Module]:
    """Return what stage 3 gathers at a time: repeated layers, and modules with weights of their own beside them."""
    repeated = [layer for child in model.modules() if isinstance(child, torch.nn.ModuleList) for layer in child]
    inside = {id(inner) for layer in repeated for inner in layer.modules()}
    beside = [child for child in model.modules() if id(child) not in inside and not list(child.children())]
    return [*repeated, *beside]


def _base_numbers(model: nn.Module) -> int:
    packed = [module for module in model.modules() if isinstance(module, Nf4Linear)]
    base = sum(weight.numel() for name, weight in model.named_parameters() if ADAPTER_KEY not in name)
    return base + sum(module.in_features * module.out_features - module.weight.numel() for module in packed)


def _bytes_of(module: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in module.parameters())
