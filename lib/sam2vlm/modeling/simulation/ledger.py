"""A ledger of storages: which are alive, how large they are together, and what they were at the highest moment."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from sam2vlm.modeling.simulation.recipes import made_before, run_on_meta, tensors_in

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PARTS", "StorageLedger"]

#: What a byte can belong to, in the order in which they are told.
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits")
ASKS_FOR_A_VALUE = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001  the operator behind item()
COPIES_ELSEWHERE = torch.ops.aten._to_copy.default  # noqa: SLF001  the operator behind to()
BY_INDEX = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default}
META, CPU = torch.device("meta"), torch.device("cpu")


class StorageLedger(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Follows every storage that an operator returns, from its first tensor to its last.

    A storage is entered once, however many views share it, and struck out when torch frees it, which a weak
    reference tells; so what autograd saves, what checkpointing drops and what is computed again is counted as it
    happens. Tensors on the meta device have storages of the right size without memory behind them; the same ledger
    counts real ones. Operators do not show what they allocate inside of themselves.

    Tokens, grids of patches and masks of padding are real tensors on the CPU: the models read their values to cut
    pictures, to place tokens and to count them, and a meta tensor has none. Whole numbers that a model sends to its
    own device stay where their values are, and so do shapes that it sends to theirs: it has both on one device. Where
    they meet weights and activations (an embedding, an index), the operator sees their shapes, and what it returns has
    a shape alone. Their bytes count like others.

    Questions about a meta tensor's yes or no are answered with yes; what is asked of the batch itself is answered
    from its values. Other values cannot be read.

    Args:
        vocabulary: Tokens of the output layer: tensors whose last dimension it is count as logits.
        shares: The share of a part's bytes that this GPU holds, where others hold the rest; 1 where left out.

    Attributes:
        flops: Of the matrix products and attention kernels since the ledger was opened.
        peak: Bytes by part at the moment when their sum was highest.
    """

    def __init__(self, *, vocabulary: int = 0, shares: Mapping[str, float] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self._vocabulary = vocabulary
        self._shares = dict.fromkeys(PARTS, 1.0) | dict(shares or {})
        self._alive: dict[int, tuple[weakref.ref[Any], str, int]] = {}
        self._held = dict.fromkeys(PARTS, 0.0)
        self._total = 0.0
        self._highest = 0.0
        self._default: str | None = None
        self.flops = 0
        self.peak: dict[str, float] = dict(self._held)

    def hold(self, tensor: torch.Tensor, part: str) -> None:
        """Enter a tensor's storage under a part, or move it there."""
        storage = tensor.untyped_storage()
        known = self._alive.get(storage._cdata)  # noqa: SLF001  its identity
        if known is None:
            self._enter(storage, part)
            return
        reference, before, size = known
        self._alive[storage._cdata] = (reference, part, size)  # noqa: SLF001
        self._count(before, -size)
        self._count(part, size)

    def assign(self, part: str | None) -> Self:
        """Count all that is new from here on under one part; None goes back to activations and logits."""
        self._default = part
        return self

    @property
    def now(self) -> dict[str, float]:
        """Bytes by part at this moment."""
        return dict(self._held)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator and enter what it returns."""
        del types
        kwargs = kwargs or {}
        if func is ASKS_FOR_A_VALUE and args[0].is_meta and args[0].dtype is torch.bool:
            return True
        returned, flops, fresh = made_before(func, args, kwargs) or self._run(func, args, kwargs)
        self.flops += flops
        for leaf in tensors_in(returned) if fresh else ():
            storage = leaf.untyped_storage()
            if storage._cdata not in self._alive:  # noqa: SLF001  its identity, whatever object stands for it
                self._enter(storage, self._part_of(leaf))
        return returned

    @staticmethod
    def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, int, bool]:
        if func is COPIES_ELSEWHERE and _stays(args[0], kwargs):
            kwargs = {**kwargs, "device": args[0].device}
        elif func is COPIES_ELSEWHERE and args[0].is_meta and kwargs.get("device") == CPU:
            if kwargs.get("dtype") in (None, args[0].dtype):
                return torch.ops.aten.alias.default(args[0]), 0, False
            kwargs = {**kwargs, "device": META}
        if func in BY_INDEX:
            args = _places(args)
        return *run_on_meta(func, *_shapes_alone(args, kwargs)), True

    def _part_of(self, tensor: torch.Tensor) -> str:
        if self._default is not None:
            return self._default
        is_logits = tensor.dim() > 1 and tensor.shape[-1] == self._vocabulary
        return "logits" if is_logits else "activations"

    def _enter(self, storage: torch.UntypedStorage, part: str) -> None:
        key, size = storage._cdata, storage.nbytes()  # noqa: SLF001

        def freed(_: object) -> None:
            _, last, _ = self._alive.pop(key)
            self._count(last, -size)

        self._alive[key] = (weakref.ref(storage, freed), part, size)
        self._count(part, size)

    def _count(self, part: str, size: int) -> None:
        counted = size * self._shares[part]
        self._held[part] += counted
        self._total += counted
        if self._total > self._highest:
            self._highest = self._total
            self.peak = dict(self._held)


def _stays(tensor: torch.Tensor, kwargs: Mapping[str, Any]) -> bool:
    """Return whether a copy to the meta device is of whole numbers, whose values a model may still ask for."""
    return not (tensor.is_meta or tensor.is_floating_point()) and kwargs.get("device") == META


def _shapes_alone(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put a meta tensor in the place of each real one where an operator gets both kinds."""
    if len({leaf.is_meta for leaf in tensors_in((args, kwargs))}) <= 1:
        return args, kwargs
    moved: tuple[tuple[Any, ...], dict[str, Any]] = tree_map(_shape_alone, (args, kwargs))
    return moved


def _places(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put the places of a yes in the stead of an index of yes and no: how many there are is known from values alone."""
    indices = [
        place
        for index in args[1]
        for place in (index.nonzero(as_tuple=True) if index is not None and index.dtype is torch.bool else [index])
    ]
    return (args[0], indices, *args[2:])


def _shape_alone(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or value.is_meta:
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=META)
