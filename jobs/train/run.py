"""The training of one rank, from the dataset to the published result, to be read from top to bottom."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import torch

from jobs.train.batches import collators_of, sampler_of
from jobs.train.facts import Data, training_facts
from jobs.train.model import precision_of, trained_model
from jobs.train.predictions import predictions_callback
from jobs.train.records import keep_records, open_sinks_of, plot_run, tracked
from sam2vlm.checkpoints import BestModelTracker, CheckpointManager
from sam2vlm.config import ModelRegistry
from sam2vlm.config.device_config import BUCKET, SHARDED_WEIGHTS
from sam2vlm.errors import DataError, InterruptedRunError
from sam2vlm.logs import get_logger
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.loading import load_processor
from sam2vlm.modeling.lora import trainable_parameters
from sam2vlm.modeling.pictures import bound_area
from sam2vlm.modeling.samples import Samples, select_samples
from sam2vlm.modeling.splits import read_split
from sam2vlm.trainers.callbacks import EpochCallback, FiguresCallback, ScheduleCallback
from sam2vlm.trainers.deepspeed import build_deepspeed_config, join_ranks, prepare_deepspeed
from sam2vlm.trainers.full_trainer import FullTrainer, publish_model
from sam2vlm.trainers.interruption import Interruption
from sam2vlm.trainers.lora_trainer import LoraTrainer, publish_adapter, training_arguments
from sam2vlm.trainers.window import FiguresWindow

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import ProcessorMixin, TrainingArguments

    from jobs.train.settings import TrainSettings
    from sam2vlm.artifacts import Counts, PhaseWork
    from sam2vlm.config import TrainingConfig
    from sam2vlm.tracking import Trackers

__all__ = ["train"]


def train(
    phase: PhaseWork, settings: TrainSettings, config: TrainingConfig, *, model_folder: Path, resume_step: int | None
) -> None:
    """Train on this rank; rank 0 publishes the result.

    Args:
        phase: The phase that the launcher has opened and holds the lock of.
        settings: The job's settings.
        config: The configuration made from them.
        model_folder: The base model's files.
        resume_step: The step of the checkpoint to go on from, its digests checked by the launcher.

    Raises:
        InterruptedRunError: Stopped by a signal, behind a checkpoint.
        DataError: The data cannot be trained on, or nothing was learned from it.
    """
    interruption = Interruption()
    interruption.listen()
    quiet_libraries()
    make_deterministic(settings.seed, threads=settings.threads)
    # Also where there is only something left to publish: the manifest names the versions of what is loaded.
    prepare_deepspeed()
    manager = CheckpointManager(
        phase.layout.checkpoints,
        fingerprint=phase.fingerprint,
        world_size=config.devices.world_size,
        keep_newest=config.checkpoints.keep_newest,
    )
    resume = manager.open(resume_step) if resume_step is not None else None
    processor = load_processor(model_folder, name=config.model.name)
    bound_area(processor, max_pixels=config.data.max_pixels)
    data = _read_data(phase, settings, config, processor)
    rank = int(os.environ["RANK"])
    with tracked(phase, settings, rank=rank) as trackers:
        if resume is None or not resume.manifest.complete:
            trainer = _build(
                phase,
                settings,
                config,
                model_folder=model_folder,
                processor=processor,
                data=data,
                manager=manager,
                interruption=interruption,
                trackers=trackers,
            )
            trainer.args.eval_on_start = resume is None
            trainer.resume_or_start(resume)
            if interruption.agreed and not trainer.finished:
                raise InterruptedRunError(f"stopped behind the checkpoint of step {trainer.state.global_step}")
        if rank == 0:
            _publish(phase, settings, config, manager=manager, processor=processor, data=data, trackers=trackers)


def _read_data(phase: PhaseWork, settings: TrainSettings, config: TrainingConfig, processor: ProcessorMixin) -> Data:
    boxes = boxes_of(ModelRegistry.get(config.model.name), processor)
    encoder = Encoder(processor)

    def of_split(path: str) -> tuple[Samples, Counts]:
        split = read_split(phase.layout.root / path)
        kept, counts = select_samples(
            split,
            encoder,
            boxes=boxes,
            max_length=config.data.max_length,
            max_dropped_share=settings.samples.max_dropped_share,
            tasks=settings.samples.tasks,
        )
        return Samples(split, kept, processor=processor, cache_mb=settings.samples.cache_mb), counts

    assert config.data.val_path is not None  # noqa: S101  told to mypy; training_config sets it
    (train_samples, train_counts), (val_samples, val_counts) = (
        of_split(config.data.train_path),
        of_split(config.data.val_path),
    )
    get_logger("data").info(
        "samples_ready",
        train=train_counts.model_dump(),
        val=val_counts.model_dump(),
        longest=max(train_samples.lengths),
        max_length=config.data.max_length,
    )
    return Data(train_samples, val_samples, train_counts, val_counts)


def _build(
    phase: PhaseWork,
    settings: TrainSettings,
    config: TrainingConfig,
    *,
    model_folder: Path,
    processor: ProcessorMixin,
    data: Data,
    manager: CheckpointManager,
    interruption: Interruption,
    trackers: Trackers,
) -> LoraTrainer | FullTrainer:
    sharded = config.devices.zero_stage == SHARDED_WEIGHTS
    if sharded:
        join_ranks()
    # Transformers shards a model that it loads while there are arguments that say so.
    arguments = _arguments(phase, settings, config) if sharded else None
    model, rates = trained_model(config, folder=model_folder, digest=phase.inputs["model"])
    sampler = sampler_of(config, data.train.lengths, seed=settings.seed)
    collator, packing = collators_of(config, model, processor)
    tracker = BestModelTracker(patience=config.tracking.early_stopping_patience or None)
    window = FiguresWindow()
    save_every = config.checkpoints.save_every_steps
    figures = FiguresCallback(
        window,
        every=config.tracking.logging_every_steps,
        samples_per_step=sampler.samples_per_step,
        checkpoints=manager,
        scaled_loss=precision_of(config) == "fp16",
        open_sinks=open_sinks_of(phase, sampler, trackers) if int(os.environ["RANK"]) == 0 else None,
    )
    kind = functools.partial(FullTrainer, processor=processor) if config.training.full else LoraTrainer
    return kind(
        rates=rates,
        model=model,
        args=arguments or _arguments(phase, settings, config, sum(trainable_parameters(model).values())),
        train_samples=data.train,
        val_samples=data.val,
        collator=collator,
        packing=packing,
        sampler=sampler,
        checkpoints=manager,
        tracker=tracker,
        window=window,
        interruption=interruption,
        callbacks=[
            EpochCallback(sampler),
            ScheduleCallback(
                save_every=save_every,
                eval_every=config.tracking.eval_every_steps or save_every,
                tracker=tracker,
                interruption=interruption,
            ),
            figures,
            *predictions_callback(phase, config, processor=processor, sampler=sampler, figures=figures),
        ],
    )


def _arguments(
    phase: PhaseWork, settings: TrainSettings, config: TrainingConfig, trainable: int = BUCKET
) -> TrainingArguments:
    training, precision = config.training, precision_of(config)
    deepspeed = build_deepspeed_config(
        micro_batch=training.batch_size,
        accumulation=training.gradient_accumulation_steps,
        world_size=config.devices.world_size,
        zero_stage=config.devices.zero_stage,
        precision=precision,
        max_grad_norm=training.max_grad_norm,
        trainable=trainable,
        offload_optimizer=config.devices.offload_optimizer,
        offload_parameters=config.devices.offload_parameters,
        pin_memory=torch.cuda.is_available(),
    )
    return training_arguments(
        output=phase.layout.checkpoints,
        deepspeed=deepspeed,
        micro_batch=training.batch_size,
        accumulation=training.gradient_accumulation_steps,
        epochs=training.num_epochs,
        learning_rate=training.learning_rate,
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        scheduler=training.lr_scheduler.value,
        precision=precision,
        seed=settings.seed,
        workers=settings.samples.workers,
        neftune_noise_alpha=training.neftune_noise_alpha,
    )


def _publish(
    phase: PhaseWork,
    settings: TrainSettings,
    config: TrainingConfig,
    *,
    manager: CheckpointManager,
    processor: ProcessorMixin,
    data: Data,
    trackers: Trackers,
) -> None:
    """Write adapter or model, plots, configuration, manifest; all from checkpoints, so that it can be done again."""
    last = manager.newest()
    assert last is not None  # noqa: S101  training has just written it
    tracker = BestModelTracker()
    tracker.restore(last.manifest.state["tracker"])
    _require_learning(tracker, required=settings.require_learning)
    best = manager.open(tracker.best_step or last.manifest.step)
    if config.training.full:
        publish_model(best, processor, phase.layout.model)
    else:
        publish_adapter(best, processor, phase.layout.adapter)
    plot_run(phase, best_step=best.manifest.step)
    config.save_json(phase.folder / "config.json")
    facts = training_facts(
        config, phase=phase, precision=precision_of(config), data=data, tracker=tracker, last=last, best=best
    )
    phase.finish(counts=data.train_counts, facts=facts, exclude=("checkpoints/*",))
    keep_records(phase, trackers, result=facts["result"])
    get_logger("train").info("trained", **facts["result"])


def _require_learning(tracker: BestModelTracker, *, required: bool) -> None:
    if tracker.learned:
        return
    figures = {"best": tracker.best_value, "before": tracker.initial_value}
    get_logger("train").warning("learned_nothing", **figures)
    if required:
        raise DataError(
            "the run learned nothing: its best validation loss is not below the one before the first step",
            field="eval_loss",
            expected=f"below {tracker.initial_value}",
            found=tracker.best_value,
        )
