"""Train the weights themselves: checkpoints that hold a whole model, and the model that is published at the end."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, cast

from sam2vlm.artifacts import publish_folder, write_json
from sam2vlm.modeling.freezing import PARTS, part_of_weights
from sam2vlm.modeling.generation import answers_by_default
from sam2vlm.trainers.deepspeed import copy_of_weights
from sam2vlm.trainers.part_trainer import PartTrainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel, ProcessorMixin

    from sam2vlm.checkpoints import Checkpoint

__all__ = ["LEARNED", "FullTrainer", "publish_model", "save_model"]

#: In a checkpoint: the model in Transformers' layout, and how many numbers of each part learn.
MODEL, LEARNED = "model", "learned.json"


class FullTrainer(PartTrainer):
    """Trains what the model has marked as trained; its checkpoints hold the whole model.

    Args:
        processor: Of the model's family, whose end tokens the saved model is told.
        others: Of :class:`PartTrainer`.
    """

    def __init__(self, *, processor: ProcessorMixin, **others: Any) -> None:
        self._processor = processor
        super().__init__(**others)

    def save_weights(self, folder: Path) -> None:
        """Write the whole model, on rank 0, which holds all weights in the machine's memory meanwhile."""
        model = cast("PreTrainedModel", self.model)
        weights = copy_of_weights(self.deepspeed, model, wanted=self.is_world_process_zero())
        if self.is_world_process_zero():
            with answers_by_default(model, self._processor):
                save_model(model, weights, folder)


def save_model(model: PreTrainedModel, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Write a model in Transformers' layout, the same bytes for the same weights, and what of it learns.

    Args:
        model: The model, whose own weights may be shared out over ranks.
        weights: All of them, by name.
        folder: Where ``model/`` and ``learned.json`` go; the latter has the trained numbers of each part.
    """
    model.save_pretrained(str(folder / MODEL), state_dict=dict(weights), safe_serialization=True)
    learned = dict.fromkeys(PARTS, 0)
    parts = part_of_weights(model)
    for name, weight in model.named_parameters():
        learned[parts[name]] += weights[name].numel() if weight.requires_grad else 0
    write_json(folder / LEARNED, learned)


def publish_model(checkpoint: Checkpoint, processor: ProcessorMixin, final: Path) -> None:
    """Make ``RUN/train/model`` from the best checkpoint, in one step: model, processor, chat template.

    Args:
        checkpoint: The best one, its digests checked.
        processor: What it was trained with.
        final: The model's folder.
    """
    staged = final.with_name(f".{final.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(checkpoint.folder / MODEL, staged, copy_function=shutil.copyfile)
    processor.save_pretrained(str(staged))
    publish_folder(staged, final)
