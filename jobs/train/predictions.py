"""Sample predictions of a training: which frames are asked about, when, and on which ranks."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

from sam2vlm.config import ModelRegistry
from sam2vlm.config.device_config import SHARDED_WEIGHTS
from sam2vlm.config.hyperparameters import PredictionMoment
from sam2vlm.evaluation.frames import draw_frames
from sam2vlm.evaluation.sample_predictions import answer_rows, figures_of, show_answers
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.splits import read_split
from sam2vlm.trainers.predictions import PredictionsCallback

if TYPE_CHECKING:
    import torch
    from transformers import ProcessorMixin

    from sam2vlm.artifacts import PhaseWork
    from sam2vlm.config import TrainingConfig
    from sam2vlm.tracking import SamplePrediction
    from sam2vlm.trainers.callbacks import FiguresCallback
    from sam2vlm.trainers.sampling import StepSampler

__all__ = ["predictions_callback"]


def predictions_callback(
    phase: PhaseWork,
    config: TrainingConfig,
    *,
    processor: ProcessorMixin,
    sampler: StepSampler,
    figures: FiguresCallback,
) -> list[PredictionsCallback]:
    """Return the callback that asks, or none where nothing is to be asked on this rank.

    The first rank asks alone, the others wait for it at their next exchange. Where the weights are sharded it cannot:
    then all ranks ask the same, because each token takes a gathering of every layer, and the first one shows it.

    Args:
        phase: The phase.
        config: The run's configuration.
        processor: That is trained with.
        sampler: Of the training samples, for the length of an epoch.
        figures: Whose outputs take the pictures.
    """
    tracking, rank = config.tracking, int(os.environ["RANK"])
    alone = config.devices.zero_stage < SHARDED_WEIGHTS
    if tracking.prediction_frames == 0 or (rank and alone) or config.data.val_path is None:
        return []
    # A tokenizer keeps how it has padded last, and the one that is trained with is published.
    asking = copy.deepcopy(processor)
    split = read_split(phase.layout.root / config.data.val_path)
    frames = draw_frames(split, number=tracking.prediction_frames, seed=phase.seed)
    boxes = boxes_of(ModelRegistry.get(config.model.name), processor)

    def ask(model: Any, device: torch.device, step: int) -> tuple[list[SamplePrediction], dict[str, float]]:
        rows = answer_rows(
            model,
            asking,
            split,
            frames,
            boxes=boxes,
            batch_size=config.training.batch_size,
            max_new_tokens=tracking.prediction_tokens,
            device=device,
        )
        if rank:
            return [], {}
        return show_answers(split, frames, rows, step=step), figures_of(rows, frames)

    epoch_steps = sampler.steps if tracking.predict_at is PredictionMoment.EPOCH else None
    return [PredictionsCallback(ask, figures=figures, epoch_steps=epoch_steps, alone=alone)]
