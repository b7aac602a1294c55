"""How fast a run goes and how much memory it takes: figures of this machine and this hour, never of the result."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Throughput", "peak_memory"]

GIB = 2**30


class Throughput:
    """Tokens and samples a second between two logged lines; evaluations and checkpoints do not count as time.

    Args:
        samples_per_step: Samples of all ranks in one step.
        clock: Seconds, growing; for tests.
    """

    def __init__(self, *, samples_per_step: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._samples = samples_per_step
        self._clock = clock
        self._seconds, self._step, self._tokens = 0.0, 0, 0
        self._mark = clock()

    def start(self, *, step: int, tokens: int) -> None:
        """Begin behind a step.

        Args:
            step: Optimizer steps done.
            tokens: Those that a resumed run's window has counted already, in another process and another time.
        """
        self._seconds, self._step, self._tokens = 0.0, step, tokens
        self._mark = self._clock()

    def leave_out(self) -> None:
        """Forget the time since the last step: something else than training took it."""
        self._mark = self._clock()

    def step_done(self) -> None:
        """Count the time since the last step, the reading of its batches included."""
        now = self._clock()
        self._seconds += now - self._mark
        self._mark = now

    def take(self, *, step: int, tokens: int) -> dict[str, float]:
        """Return the figures of the stretch that ends here, and begin the next one.

        Args:
            step: Optimizer steps done.
            tokens: Of all ranks in the window, padding left out.

        Returns:
            ``tokens_per_second``, ``samples_per_second`` and ``peak_memory_gib``, of this process.
        """
        seconds = max(self._seconds, 1e-9)
        figures = {
            "tokens_per_second": (tokens - self._tokens) / seconds,
            "samples_per_second": (step - self._step) * self._samples / seconds,
            "peak_memory_gib": peak_memory() / GIB,
        }
        self.start(step=step, tokens=0)
        return figures


def peak_memory() -> int:
    """Return the most memory that this process has held so far, in bytes.

    On a GPU it is what PyTorch's allocator handed out there (``torch.cuda.max_memory_allocated``), elsewhere the
    resident set's peak.
    """
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # getrusage(2): kilobytes on Linux, bytes on macOS.
    return peak if sys.platform == "darwin" else peak * 1024
