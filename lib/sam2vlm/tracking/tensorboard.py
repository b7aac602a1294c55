"""TensorBoard events under ``RUN/logs/tensorboard``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sam2vlm.tracking.predictions import SamplePrediction

__all__ = ["TensorBoardLog", "tag_of"]

#: Groups of the figures whose names begin so; all others are of the training.
GROUPS = {"eval_": "val", "predictions_": "predictions"}


class TensorBoardLog:
    """Writes scalars, pictures and texts.

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
        """Write one scalar a figure, under its :func:`tag_of`."""
        for name, value in figures.items():
            self._writer.add_scalar(tag_of(name), value, step)
        self._writer.flush()

    def show(self, predictions: Sequence[SamplePrediction], *, step: int) -> None:
        """Write a picture and a text a frame, both under ``predictions/<frame>``; pixel by pixel what was drawn."""
        import numpy as np
        from PIL import Image

        for prediction in predictions:
            tag = f"predictions/{prediction.name}"
            with Image.open(io.BytesIO(prediction.picture)) as picture:
                self._writer.add_image(tag, np.asarray(picture.convert("RGB")), step, dataformats="HWC")
            self._writer.add_text(tag, prediction.text, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


def tag_of(name: str) -> str:
    """Return a figure's name as the trackers have it: ``train/loss``, ``val/loss``, ``predictions/mAP50``."""
    for prefix, group in GROUPS.items():
        if name.startswith(prefix):
            return f"{group}/{name.removeprefix(prefix)}"
    return f"train/{name}"
