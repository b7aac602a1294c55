"""The loop that a patient person would write, without a trainer: ``python -m benchmarks.training.bare``.

It sees the same samples in the same batches, with the answers' logits alone, as the train phase does.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.training.work import ACCUMULATION, BATCH, LEARNING_RATE, RANK, STEPS, TARGET, WARM


def main() -> None:
    """Train on a prepared run's ``argv[1]`` the model ``argv[2]`` on ``argv[3]`` threads; print the clock's seconds."""
    run, folder, threads = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    import torch
    from datasets import load_from_disk

    from sam2vlm.config import ModelRegistry
    from sam2vlm.modeling.boxes import boxes_of
    from sam2vlm.modeling.collator import Collator
    from sam2vlm.modeling.determinism import make_deterministic, quiet_libraries
    from sam2vlm.modeling.encoding import Encoder
    from sam2vlm.modeling.loading import load_model, load_processor
    from sam2vlm.modeling.lora import add_lora
    from sam2vlm.modeling.samples import Samples, select_samples
    from sam2vlm.modeling.source import ModelSource
    from sam2vlm.trainers.sampling import LengthGroupedSampler

    quiet_libraries()
    make_deterministic(0, threads=threads)
    processor: Any = load_processor(folder, name="tiny-llava")
    split = load_from_disk(str(run / "prepare" / "dataset" / "train"))
    boxes = boxes_of(ModelRegistry.get("tiny-llava"), processor)
    kept, _ = select_samples(split, Encoder(processor), boxes=boxes, max_length=1024, max_dropped_share=0)
    samples = Samples(split, kept, processor=processor, cache_mb=1024)
    collate = Collator(pad_token_id=int(processor.tokenizer.pad_token_id), answers_only=True)
    source = ModelSource("tiny-llava", folder, "")
    base = load_model(source, class_name="LlavaForConditionalGeneration", dtype=torch.float32)
    model = add_lora(base, target=TARGET, rank=RANK, alpha=2 * RANK, dropout=0, base_model="tiny-llava")
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    sampler = LengthGroupedSampler(samples.lengths, global_batch=BATCH * ACCUMULATION, seed=0)
    model.train()
    order: list[int] = []
    for epoch in range(-(-STEPS // sampler.steps)):
        sampler.set_epoch(epoch)
        order += sampler
    began = 0.0
    for step in range(STEPS):
        for part in range(ACCUMULATION):
            first = (step * ACCUMULATION + part) * BATCH
            batch = collate([samples[number] for number in order[first : first + BATCH]])
            del batch["sample_numbers"]
            (model(**batch).loss / ACCUMULATION).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step + 1 == WARM:
            began = time.monotonic()
    # A line of its own, whatever libraries have said before.
    os.write(1, f"\n{time.monotonic() - began}\n".encode())


if __name__ == "__main__":
    main()
