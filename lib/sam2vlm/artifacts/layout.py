"""Where things lie in a run's folder. The names are a contract with people and with other programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PHASES", "RunLayout"]

PHASES = ("prepare", "train", "evaluate", "export")


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The paths of one run.

    Attributes:
        root: The run's folder on the volume (``SAM2VLM_RUN``).
    """

    root: Path

    def phase(self, name: str) -> Path:
        """Return ``RUN/<phase>``."""
        return self.root / name

    def manifest(self, name: str) -> Path:
        """Return ``RUN/<phase>/manifest.json``; it is there only when the phase is finished."""
        return self.phase(name) / "manifest.json"

    @property
    def dataset(self) -> Path:
        """``RUN/prepare/dataset``: a ``DatasetDict`` for ``datasets.load_from_disk``."""
        return self.phase("prepare") / "dataset"

    @property
    def checkpoints(self) -> Path:
        """``RUN/train/checkpoints``: the best and the newest checkpoints."""
        return self.phase("train") / "checkpoints"

    @property
    def adapter(self) -> Path:
        """``RUN/train/adapter``: the best adapter in PEFT's layout, with processor and chat template."""
        return self.phase("train") / "adapter"

    @property
    def model(self) -> Path:
        """``RUN/train/model``: in place of the adapter where the weights themselves were trained; the same files."""
        return self.phase("train") / "model"

    @property
    def logs(self) -> Path:
        """``RUN/logs``: every rank's JSON lines and the TensorBoard events; never part of a digest."""
        return self.root / "logs"
