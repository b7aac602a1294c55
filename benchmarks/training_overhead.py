"""What our trainer adds to a bare PyTorch loop: the same model, adapter, batches and optimizer, on this machine.

CPU seconds are compared, not wall-clock seconds, so that other work on the machine changes little.
Run it as ``python -m benchmarks.training_overhead [--json] [--steps N] [--threads N]``.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, arguments, report

if TYPE_CHECKING:
    import argparse

    from sam2vlm.modeling.samples import Samples

BATCH = 16
RANK = 16
GOAL = 0.9
TARGET = r"model\.language_model\..*\.(q|k|v|o|gate|up|down)_proj"


def main() -> None:
    """Measure and print."""
    options = _options()
    # Before torch is loaded: a process group of one rank, and the number of threads.
    os.environ.update(
        RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="0",
        OMP_NUM_THREADS=str(options.threads),
    )  # fmt: skip
    from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries

    quiet_libraries()
    make_deterministic(0, threads=options.threads)
    samples, padding = _samples(options.steps * BATCH)
    bare = _bare(samples, padding, options.steps)
    ours = _ours(samples, padding, options.steps)
    figures = [
        Figure("bare PyTorch loop", bare, "", "samples/CPU s", None),
        Figure("our trainer", ours, "", "samples/CPU s", None),
        Figure("share of the bare loop's speed", ours / bare, f">= {GOAL}", "1", ours / bare >= GOAL),
    ]
    report(figures, as_json=options.json, title=f"training, {options.threads} threads")


def _options() -> argparse.Namespace:
    parser = arguments("What our trainer adds to a bare PyTorch loop.")
    parser.add_argument("--steps", type=int, default=30, help="optimizer steps of each loop")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def _samples(count: int) -> tuple[Samples, int]:
    from sam2vlm.modeling.encoding import Encoder
    from sam2vlm.modeling.loading import load_processor
    from sam2vlm.modeling.samples import Samples, select_samples
    from tests.training_runs import split

    processor: Any = load_processor(_source().folder, name="tiny-llava")
    rows = split(count, width=320, height=240)
    kept, _ = select_samples(rows, Encoder(processor), decimals=2, max_length=512, max_dropped_share=0)
    samples = Samples(rows, kept, processor=processor, cache_mb=1024)
    for number in range(len(samples)):  # both loops find the pictures processed
        samples[number]
    return samples, int(processor.tokenizer.pad_token_id)


def _source() -> Any:
    from sam2vlm.modeling.source import find_model

    return find_model("tiny-llava", checkpoint="package:modeling/tiny_llava")


def _model() -> Any:
    import torch

    from sam2vlm.modeling.loading import load_model
    from sam2vlm.modeling.lora import add_lora

    model = load_model(_source(), class_name="LlavaForConditionalGeneration", dtype=torch.float32)
    return add_lora(model, target=TARGET, rank=RANK, alpha=2 * RANK, dropout=0, base_model="tiny-llava")


def _bare(samples: Samples, padding: int, steps: int) -> float:
    import torch

    from sam2vlm.modeling.collator import Collator

    model, collate = _model(), Collator(pad_token_id=padding)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4)
    model.train()
    began = time.process_time()
    for step in range(steps):
        batch = collate([samples[number] for number in range(step * BATCH, (step + 1) * BATCH)])
        del batch["sample_numbers"]
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return steps * BATCH / (time.process_time() - began)


def _ours(samples: Samples, padding: int, steps: int) -> float:
    from transformers import TrainerCallback

    from sam2vlm.checkpoints import BestModelTracker, CheckpointManager
    from sam2vlm.modeling.collator import Collator
    from sam2vlm.trainers.callbacks import EpochCallback, FiguresCallback, ScheduleCallback
    from sam2vlm.trainers.deepspeed import build_deepspeed_config, prepare_deepspeed
    from sam2vlm.trainers.interruption import Interruption
    from sam2vlm.trainers.lora_trainer import LoraTrainer, training_arguments
    from sam2vlm.trainers.sampling import LengthGroupedSampler
    from sam2vlm.trainers.window import FiguresWindow

    class Clock(TrainerCallback):
        """CPU time from before the first step to behind the last, checkpoints and start aside."""

        spent = 0.0

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            del args, state, control, kwargs
            self.spent = -time.process_time()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            del args, kwargs
            if state.global_step == steps:
                self.spent += time.process_time()
                control.should_save = False

    prepare_deepspeed()
    tracker, window, interruption, clock = BestModelTracker(), FiguresWindow(), Interruption(), Clock()
    sampler = LengthGroupedSampler(samples.lengths, global_batch=BATCH, seed=0)
    deepspeed = build_deepspeed_config(
        micro_batch=BATCH, accumulation=1, world_size=1, zero_stage=0, precision="fp32", max_grad_norm=1.0
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(
            output=Path(folder), deepspeed=deepspeed, micro_batch=BATCH, accumulation=1, epochs=1, learning_rate=1e-4,
            warmup_ratio=0, weight_decay=0, max_grad_norm=1.0, scheduler="cosine", precision="fp32",
            gradient_checkpointing=False, seed=0, workers=0,
        )  # fmt: skip
        schedule = ScheduleCallback(save_every=10**6, eval_every=None, tracker=tracker, interruption=interruption)
        checkpoints = CheckpointManager(Path(folder), fingerprint="0" * 64, world_size=1)
        figures = FiguresCallback(
            window, every=10, samples_per_step=BATCH, checkpoints=checkpoints, open_sinks=None
        )  # fmt: skip
        trainer = LoraTrainer(
            model=_model(), args=arguments, train_samples=samples, val_samples=None,
            collator=Collator(pad_token_id=padding, answers_only=True), sampler=sampler,
            checkpoints=checkpoints, tracker=tracker,
            window=window, interruption=interruption,
            callbacks=[EpochCallback(sampler), schedule, figures, clock],
        )  # fmt: skip
        trainer.resume_or_start(None)
    return steps * BATCH / clock.spent


if __name__ == "__main__":
    main()
