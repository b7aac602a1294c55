"""Fine-tune an adapter: the arguments, the trainer, and the adapter that is published at the end."""

from __future__ import annotations

import shutil
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import TrainingArguments

from sam2vlm.artifacts import canonical_json, publish_folder, write_text
from sam2vlm.trainers.deepspeed import whole_weights
from sam2vlm.trainers.part_trainer import PartTrainer

if TYPE_CHECKING:
    from pathlib import Path

    from peft import PeftModel
    from transformers import ProcessorMixin

    from sam2vlm.checkpoints import Checkpoint

__all__ = ["LoraTrainer", "publish_adapter", "save_adapter", "training_arguments"]

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


class LoraTrainer(PartTrainer):
    """Trains a PEFT adapter; its checkpoints hold the adapter, never the base."""

    def save_weights(self, folder: Path) -> None:
        """Write the adapter, on rank 0."""
        model = cast("PeftModel", self.model)
        with whole_weights(self.deepspeed, [weight for weight in model.parameters() if weight.requires_grad]):
            if self.is_world_process_zero():
                save_adapter(model, folder)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write an adapter in PEFT's layout, the same bytes for the same weights.

    Args:
        model: The adapted model.
        folder: Where ``adapter_model.safetensors`` and ``adapter_config.json`` go.
    """
    model.save_pretrained(str(folder), save_embedding_layers=False)
    # PEFT writes a model card of its own, full of placeholders, and sets into its JSON in any order.
    (folder / "README.md").unlink(missing_ok=True)
    config = model.peft_config["default"].to_dict()
    write_text(folder / CONFIG, canonical_json(_plain({**config, "inference_mode": True})))


def publish_adapter(checkpoint: Checkpoint, processor: ProcessorMixin, final: Path) -> None:
    """Make ``RUN/train/adapter`` from the best checkpoint, in one step: adapter, processor, chat template.

    Args:
        checkpoint: The best one, its digests checked.
        processor: What it was trained with.
        final: The adapter's folder.
    """
    staged = final.with_name(f".{final.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for name in (WEIGHTS, CONFIG):
        shutil.copyfile(checkpoint.folder / name, staged / name)
    processor.save_pretrained(str(staged))
    publish_folder(staged, final)


def training_arguments(
    *,
    output: Path,
    deepspeed: dict[str, Any],
    micro_batch: int,
    accumulation: int,
    epochs: float,
    learning_rate: float,
    warmup_ratio: float,
    weight_decay: float,
    max_grad_norm: float,
    scheduler: str,
    precision: str,
    seed: int,
    workers: int,
    neftune_noise_alpha: float = 0.0,
) -> TrainingArguments:
    """Build Transformers' arguments; what a callback of ours decides is switched off in them.

    Args:
        output: The checkpoints' folder; nothing is written elsewhere.
        deepspeed: From :func:`sam2vlm.trainers.deepspeed.build_deepspeed_config`.
        micro_batch: Samples in one forward pass of one rank.
        accumulation: Forward passes before the optimizer moves.
        epochs: Passes over the data.
        learning_rate: The highest.
        warmup_ratio: Share of the steps over which it rises.
        weight_decay: AdamW's.
        max_grad_norm: Gradients are scaled down to this norm.
        scheduler: Transformers' name of the schedule.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        seed: Of everything that is random.
        workers: Processes that read pictures; 0 reads them in the rank itself.
        neftune_noise_alpha: Noise on the words' embeddings while training; 0 adds none.
    """
    arguments = TrainingArguments(
        output_dir=str(output),
        deepspeed=deepspeed,
        per_device_train_batch_size=micro_batch,
        per_device_eval_batch_size=micro_batch,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        warmup_steps=warmup_ratio,
        weight_decay=weight_decay,
        max_grad_norm=max_grad_norm,
        lr_scheduler_type=scheduler,
        optim="adamw_torch",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        neftune_noise_alpha=neftune_noise_alpha or None,
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_num_workers=workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        logging_strategy="steps",
        # Every step, so that our own window of figures survives a resume; see FiguresWindow.
        logging_steps=1,
        # Otherwise a loss of NaN is replaced by the mean of the others, and nobody knows.
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
    )
    if arguments.device.type == "cpu":
        # Accelerate numbers a rank's CPU, and torch copies what is sent from cpu to cpu:0: every batch, twice.
        arguments.distributed_state.device = arguments._setup_devices = torch.device("cpu")  # noqa: SLF001
    return arguments


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: enumerations by their values, sets in order."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
