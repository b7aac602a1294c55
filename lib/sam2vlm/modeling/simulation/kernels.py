"""What a device runs where the meta device would take another way: fused attention and projections in four bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import flash_attention_mask, sdpa_mask

from sam2vlm.config.memory import NF4_BYTES
from sam2vlm.modeling.attention import FLASH
from sam2vlm.modeling.simulation.windows import as_batch

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["FusedAttention", "Nf4Linear", "fused_attention", "quantize"]

HALF = (torch.bfloat16, torch.float16)


class FusedAttention(TorchFunctionMode):
    """Sends scaled dot product attention to the fused kernel that torch chooses on the real device.

    On the meta device torch falls back to plain matrix products, whose s x s scores no fused kernel stores. On CUDA
    it takes the flash kernel for half precision without a mask, the memory-efficient one otherwise, whose mask is
    of the queries' type; on the CPU its own flash kernel. They keep queries, keys, values, the output and one
    float32 a query.

    Args:
        device: ``cuda`` or ``cpu``.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._kernel = _cpu_kernel if device == "cpu" else _cuda_kernel

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the kernel in place of the function."""
        del types
        kwargs = kwargs or {}
        if func is not nn.functional.scaled_dot_product_attention:
            return func(*args, **kwargs)
        return self._kernel(*args, **kwargs)


def fused_attention(device: str, implementation: str = "sdpa") -> str:
    """Register an implementation of attention with the real device's kernel under it; return the name it has.

    The mode is on inside of each attention only: torch switches modes off while a backward pass runs, in which
    checkpointed layers attend again.

    Args:
        device: ``cuda`` or ``cpu``.
        implementation: Transformers' name; one step after the other (``eager``) runs on the meta device as it is.
    """
    if implementation == "eager":
        return implementation
    if implementation == FLASH:
        name = f"{FLASH}_as_on_{device}"  # models look for "flash" in it
        AttentionInterface.register(name, _flash_attention)
        AttentionMaskInterface.register(name, flash_attention_mask)
        return name
    name = f"sdpa_as_on_{device}"

    def attend(
        module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **kwargs: Any
    ) -> Any:
        shape = query.transpose(1, 2).shape
        with FusedAttention(device):
            query, key, value = (as_batch(module, states) for states in (query, key, value))
            output, scores = sdpa_attention_forward(module, query, key, value, *rest, **kwargs)
        return output.reshape(shape), scores

    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, sdpa_mask)
    return name


def _flash_attention(  # noqa: PLR0917  Transformers' own signature
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,  # noqa: FBT001
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Do what Transformers does around the flash-attn package, whose kernel is torch's flash kernel.

    A padded batch is copied without its padding and its output with it again; samples are planned as long as the
    longest.

    Returns:
        (batch, tokens, heads, width).
    """
    causal = bool(module.is_causal if is_causal is None else is_causal)
    shape = query.transpose(1, 2).shape
    if attention_mask is not None:
        query, key, value = (states.transpose(1, 2).clone().transpose(1, 2) for states in (query, key, value))
    query, key, value = (as_batch(module, states) for states in (query, key, value))
    kernel: Any = torch.ops.aten._scaled_dot_product_flash_attention  # noqa: SLF001  only there by this name
    output: torch.Tensor = kernel(query, key, value, dropout, causal, scale=scaling)[0].transpose(1, 2)
    if attention_mask is not None:
        output = output.clone()
    return output.reshape(shape), None


def _cuda_kernel(  # noqa: PLR0917  torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> torch.Tensor:
    aten: Any = torch.ops.aten
    output: torch.Tensor
    if attn_mask is None and query.dtype in HALF:
        del enable_gqa  # the kernel takes fewer heads of keys as they are
        kernel = aten._scaled_dot_product_flash_attention  # noqa: SLF001  only there by this name
        output = kernel(query, key, value, dropout_p, is_causal, scale=scale)[0]
        return output
    key, value = _as_many_heads(query, key, value)
    if attn_mask is not None:
        attn_mask = attn_mask.to(query.dtype).expand(*query.shape[:3], key.shape[2])
    kernel = aten._scaled_dot_product_efficient_attention  # noqa: SLF001
    output = kernel(query, key, value, attn_mask, True, dropout_p, is_causal, scale=scale)[0]  # noqa: FBT003
    return output


def _cpu_kernel(  # noqa: PLR0917  torch's own signature
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002
) -> torch.Tensor:
    del enable_gqa  # the kernel takes fewer heads of keys as they are
    aten: Any = torch.ops.aten
    mask = None if attn_mask is None else attn_mask.to(query.dtype)
    kernel = aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001  only there by this name
    output: torch.Tensor = kernel(query, key, value, dropout_p, is_causal, attn_mask=mask, scale=scale)[0]
    return output


class Nf4Linear(nn.Linear):
    """A frozen projection of 4.127 bits a weight, as bitsandbytes computes with it: unpacked for each product.

    Only for the meta device: its weight holds the bytes, not the numbers.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        packed = torch.empty(round(linear.weight.numel() * NF4_BYTES), dtype=torch.uint8, device="meta")
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = linear.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  torch's own name
        """Multiply with the unpacked weight, which is not kept for the backward pass."""
        output: torch.Tensor = _Unpacked.apply(input, self.out_features)  # type: ignore[no-untyped-call]  # torch's
        return output if self.bias is None else output + self.bias


class _Unpacked(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: torch.Tensor, width: int) -> torch.Tensor:
        context.shape = (width, values.shape[-1])
        return values @ values.new_empty(context.shape).T

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        return gradient @ gradient.new_empty(context.shape), None


def quantize(model: nn.Module, *, below: Collection[str], keep: frozenset[str] = frozenset({"lm_head"})) -> None:
    """Put projections in four bits in the place of a module's own.

    Args:
        model: On the meta device.
        below: Only modules with one of these parts in their name: the language model; tower and projector keep theirs.
        keep: Names that stay as they are.
    """
    for name, module in list(model.named_modules()):
        parts = name.split(".")
        if type(module) is nn.Linear and not set(below).isdisjoint(parts) and parts[-1] not in keep:
            setattr(model.get_submodule(".".join(parts[:-1])), parts[-1], Nf4Linear(module))


def _as_many_heads(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    times = query.shape[1] // key.shape[1]
    if times == 1:
        return key, value
    return key.repeat_interleave(times, dim=1), value.repeat_interleave(times, dim=1)
