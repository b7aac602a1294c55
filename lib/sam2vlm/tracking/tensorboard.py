"""TensorBoard events under ``RUN/logs/tensorboard``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TensorBoardLog"]


class TensorBoardLog:
    """Writes scalars.

    Args:
        folder: Where the event files go; a resumed run adds one.
        after_step: The step of the checkpoint that the run goes on from. TensorBoard hides what an interrupted
            run has written behind it.
    """

    def __init__(self, folder: Path, *, after_step: int | None) -> None:
        # Brings torch along, which nobody needs who only reads runs.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=None if after_step is None else after_step + 1)

    def write(self, *, step: int, **figures: float) -> None:
        """Write one scalar a figure under ``train/<name>``, or under ``val/<name>`` for ``eval_<name>``."""
        for name, value in figures.items():
            tag = f"val/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}"
            self._writer.add_scalar(tag, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
