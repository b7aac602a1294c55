"""DeepSpeed: its one configuration, built from our settings, and what it has to be told before it starts."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import torch

from sam2vlm.config.device_config import BUCKET, SHARDED_WEIGHTS
from sam2vlm.errors import SettingsError
from sam2vlm.imports import not_found

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "build_deepspeed_config",
    "copy_of_weights",
    "join_ranks",
    "measure_gradients",
    "prepare_deepspeed",
    "whole_weights",
]

SHARED_MEMORY_OPERATOR = "deepspeed_shm_comm"
NEVER = 2**31 - 1


def build_deepspeed_config(
    *,
    micro_batch: int,
    accumulation: int,
    world_size: int,
    zero_stage: int,
    precision: str,
    max_grad_norm: float,
    trainable: int = BUCKET,
    offload_optimizer: bool = False,
    offload_parameters: bool = False,
    pin_memory: bool = False,
) -> dict[str, Any]:
    """Build DeepSpeed's configuration.

    The optimizer and the learning rate's schedule are torch's and Transformers' own, so they stand in the
    training arguments. DeepSpeed's CPU Adam would be compiled at the start, which needs a compiler.

    Args:
        micro_batch: Samples in one forward pass of one rank.
        accumulation: Forward passes before the optimizer moves.
        world_size: Ranks.
        zero_stage: 0 shards nothing, 1 the optimizer's state, 2 also the gradients, 3 also the weights.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        max_grad_norm: Gradients are scaled down to this norm.
        trainable: How many numbers are trained; buckets need not be larger.
        offload_optimizer: Keep the optimizer's state in the machine's memory and step there; from stage 1 on.
        offload_parameters: Keep the weights in the machine's memory, too, and fetch those of a layer for its turn;
            at stage 3.
        pin_memory: Offload into pages that are not swapped, which a GPU reads faster; needs CUDA.

    Raises:
        SettingsError: The stage or the precision is not one of these, or there is no shard to offload.
    """
    if zero_stage not in (0, 1, 2, 3):
        raise SettingsError("there is no such stage here", field="zero_stage", expected="0 to 3", found=zero_stage)
    if precision not in ("fp32", "bf16", "fp16"):
        raise SettingsError("unknown precision", field="precision", expected="fp32, bf16 or fp16", found=precision)
    bucket = max(1, min(BUCKET, trainable))
    return {
        "train_micro_batch_size_per_gpu": micro_batch,
        "gradient_accumulation_steps": accumulation,
        "train_batch_size": micro_batch * accumulation * world_size,
        "gradient_clipping": max_grad_norm,
        "zero_optimization": {
            "stage": zero_stage,
            "allgather_bucket_size": bucket,
            "reduce_bucket_size": bucket,
            "contiguous_gradients": True,
            # Overlapping changes the order of sums from run to run.
            "overlap_comm": False,
            **_offload(zero_stage, optimizer=offload_optimizer, parameters=offload_parameters, pin_memory=pin_memory),
        },
        "zero_allow_untested_optimizer": True,
        # DeepSpeed's own Adam for the CPU would have to be compiled; torch's steps there as well.
        **({"zero_force_ds_cpu_optimizer": False} if offload_optimizer else {}),
        "bf16": {"enabled": precision == "bf16"},
        "fp16": {"enabled": precision == "fp16"},
        "steps_per_print": NEVER,
        "wall_clock_breakdown": False,
    }


def _offload(stage: int, *, optimizer: bool, parameters: bool, pin_memory: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, asked, least in (("offload_optimizer", optimizer, 1), ("offload_param", parameters, 3)):
        if asked and stage < least:
            raise SettingsError(
                "DeepSpeed offloads the optimizer from stage 1 on and the weights at stage 3",
                field="zero_stage",
                expected=f"{least} or more for {name}",
                found=stage,
            )
        if asked:
            parts[name] = {"device": "cpu", "pin_memory": pin_memory}
    return parts


def join_ranks() -> None:
    """Start the process group. At stage 3 it has to be there before the model, whose weights are shared out at once."""
    import deepspeed

    deepspeed.init_distributed(dist_backend="nccl" if torch.cuda.is_available() else "gloo")


@contextlib.contextmanager
def whole_weights(engine: Any, weights: list[torch.nn.Parameter]) -> Iterator[None]:
    """Have all of some weights on every rank; at stage 3 each has a share of them. Every rank has to take part.

    Args:
        engine: A ``DeepSpeedEngine``.
        weights: Which.
    """
    if engine.zero_optimization_stage() < SHARDED_WEIGHTS:
        yield
        return
    from deepspeed.runtime.zero.partition_parameters import GatheredParameters

    with GatheredParameters(weights):
        yield


def copy_of_weights(engine: Any, model: torch.nn.Module, *, wanted: bool) -> dict[str, torch.Tensor]:
    """Copy a model's state to the CPU; at stage 3 weight by weight, so that no GPU has to hold all of it.

    Every rank has to take part.

    Args:
        engine: The model's ``DeepSpeedEngine``.
        model: The model.
        wanted: Whether this rank keeps the copy.

    Returns:
        Weights by name, tied ones the same tensor; nothing where none is wanted.
    """
    copied: dict[str, torch.Tensor] = {}
    known: dict[int, torch.Tensor] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        with whole_weights(engine, [value] if isinstance(value, torch.nn.Parameter) else []):
            if wanted:
                if id(value) not in known:
                    known[id(value)] = value.detach().to("cpu", copy=True)
                copied[name] = known[id(value)]
    return copied


def prepare_deepspeed() -> bool:
    """Tell DeepSpeed which of its operators there are, before it starts a process group.

    On the CPU it would compile its shared-memory operator then: 46 s with a compiler, a crash without one. It
    is used where an image was built with it; elsewhere DeepSpeed goes on over gloo alone. The other operators
    are not used here, and probing for them starts compilers and asks for GPUs, so none is probed for.

    Returns:
        Whether the shared-memory operator is there.
    """
    # Named, because its search for an accelerator ends with a warning on standard output.
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    # Of DeepSpeed's autotuner, which is not used here: a second and more of every start.
    with not_found("mlflow"):
        import deepspeed.ops
    from deepspeed.git_version_info import installed_ops

    built = bool(installed_ops.get(SHARED_MEMORY_OPERATOR, False))
    deepspeed.ops.__compatible_ops__ = {**dict.fromkeys(installed_ops, False), SHARED_MEMORY_OPERATOR: built}
    return built


def measure_gradients(engine: Any) -> None:
    """Have an engine keep the norm of the gradients where it would not: at stage 0 in fp32.

    It clips there by a function that throws the norm away, and steps right after, so nobody could measure it later.

    Args:
        engine: A ``DeepSpeedEngine``.
    """
    weights = [weight for weight in engine.module.parameters() if weight.requires_grad]

    def clip() -> None:
        norm = torch.nn.utils.clip_grad_norm_(weights, engine.gradient_clipping())
        engine._global_grad_norm = norm.item()  # noqa: SLF001  what its get_global_grad_norm returns

    engine.clip_fp32_gradients = clip
