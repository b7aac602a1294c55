"""Bytes that a training step really allocates on the CPU, as torch's own profiler reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["peak_of", "peak_of_a_real_step"]


def peak_of_a_real_step(model: nn.Module, batch: dict[str, Any]) -> int:
    """Run forward, backward and optimizer step, and return the highest number of bytes that were allocated.

    The profiler hears of every allocation from the allocator itself, also of those inside of an operator; it knows
    nothing of tensors, modes and storages.

    Args:
        model: On the CPU, with what is trained marked.
        batch: The model's arguments, real tensors.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    _step(model, batch, optimizer)  # makes the optimizer's state, which the second step finds
    state = [value for values in optimizer.state.values() for value in values.values()]
    held = [*model.parameters(), *model.buffers(), *state, *(v for v in batch.values() if isinstance(v, torch.Tensor))]
    before = sum(storage.nbytes() for storage in {s._cdata: s for s in map(_storage, held)}.values())
    return before + peak_of(lambda: _step(model, batch, optimizer))


def peak_of(run: Callable[[], object]) -> int:
    """Return the highest number of bytes that were allocated at once while something ran, beyond those before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events: Any = profiler.profiler.kineto_results.events()
    now = highest = 0
    for event in sorted((event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns()):
        now += event.nbytes()
        highest = max(highest, now)
    return highest


def _step(model: nn.Module, batch: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    model(**batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
