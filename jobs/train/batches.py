"""Which samples go together into a step, and how a batch is made of them: by length, or packed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sam2vlm.config.device_config import Attention
from sam2vlm.modeling.collator import Collator, can_keep_logits
from sam2vlm.modeling.packing import PackingCollator, picture_positions_of
from sam2vlm.trainers.packed_sampling import PackedSampler
from sam2vlm.trainers.sampling import LengthGroupedSampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peft import PeftModel
    from transformers import PreTrainedModel, ProcessorMixin

    from sam2vlm.config import TrainingConfig
    from sam2vlm.trainers.sampling import StepSampler

__all__ = ["collators_of", "sampler_of"]


def sampler_of(config: TrainingConfig, lengths: Sequence[int], *, seed: int) -> StepSampler:
    """Return the order of the samples, or with packing of rows of them.

    Args:
        config: The run's configuration.
        lengths: Tokens of each sample, its picture's included.
        seed: Of the order.
    """
    training = config.training
    batch = training.batch_size * training.gradient_accumulation_steps * config.devices.world_size
    if not training.packing:
        return LengthGroupedSampler(lengths, global_batch=batch, seed=seed)
    epochs = math.ceil(training.num_epochs)
    return PackedSampler(lengths, row_tokens=config.data.max_length, epochs=epochs, global_batch=batch, seed=seed)


def collators_of(
    config: TrainingConfig, model: PeftModel | PreTrainedModel, processor: ProcessorMixin
) -> tuple[Collator, PackingCollator | None]:
    """Return what makes batches of samples, and what makes batches of packed rows where there are any.

    Args:
        config: The run's configuration.
        model: The model that is trained.
        processor: Of its family.
    """
    padding, answers_only = _padding(processor), can_keep_logits(model)
    collator = Collator(pad_token_id=padding, answers_only=answers_only)
    if not config.training.packing:
        return collator, None
    return collator, PackingCollator(
        pad_token_id=padding,
        answers_only=answers_only,
        one_row=config.devices.attention is Attention.FLASH,
        picture_positions=picture_positions_of(model),
    )


def _padding(processor: ProcessorMixin) -> int:
    tokenizer = processor.tokenizer
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
