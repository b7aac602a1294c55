"""A ledger of storages: which are alive, how large they are together, and what they were at the highest moment."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PARTS", "StorageLedger"]

#: What a byte can belong to, in the order in which they are told.
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "logits")
ASKS_FOR_A_VALUE = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001  the operator behind item()


class StorageLedger(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Follows every storage that an operator returns, from its first tensor to its last.

    A storage is entered once, however many views share it, and struck out when torch frees it, which a weak
    reference tells; so what autograd saves, what checkpointing drops and what is computed again is counted as it
    happens. Tensors on the meta device have storages of the right size without memory behind them; the same ledger
    counts real ones. Operators do not show what they allocate inside of themselves.

    Questions about a meta tensor's yes or no ("is there no padding?", "do pictures and placeholders match?") are
    answered with yes: samples are whole and full. Other values cannot be read.

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
        returned = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)  # noqa: SLF001  what torch's own counter looks up
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=returned)
        for leaf in (returned,) if isinstance(returned, torch.Tensor) else tree_leaves(returned):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self._alive:  # noqa: SLF001  its identity, whatever object stands for it
                    self._enter(storage, self._part_of(leaf))
        return returned

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
