"""``metrics.jsonl``: one JSON line a logging step or evaluation, without any clock, so that equal runs are equal."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import write_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MetricsLog", "read_metrics"]


class MetricsLog:
    """Appends to a run's figures.

    Args:
        path: ``RUN/train/metrics.jsonl``.
        after_step: The step of the checkpoint that the run goes on from; None where it starts anew. Lines of
            later steps were written by the run that was killed and are dropped: they are about to come again.
    """

    def __init__(self, path: Path, *, after_step: int | None) -> None:
        kept = [] if after_step is None else [line for line in read_metrics(path) if line["step"] <= after_step]
        write_text(path, "".join(map(_line, kept)))
        self._stream = path.open("a", encoding="utf-8")

    def write(self, *, step: int, epoch: float, **figures: float) -> None:
        """Append one line and put it onto the disk.

        Args:
            step: Optimizer steps done.
            epoch: Passes over the data done.
            **figures: Finite numbers by name.
        """
        self._stream.write(_line({"step": step, "epoch": epoch, **figures}))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the lines; a last line that a kill has torn is left out."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            break
        lines.append(line)
    return lines


def _line(values: dict[str, Any]) -> str:
    finite = {name: value for name, value in values.items() if not isinstance(value, float) or math.isfinite(value)}
    return json.dumps(finite, allow_nan=False, sort_keys=True) + "\n"
