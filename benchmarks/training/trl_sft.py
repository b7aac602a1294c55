"""TRL's SFTTrainer on the same samples; run in an environment of its own, which has trl and peft and not this project.

``python trl_sft.py MESSAGES_JSONL MODEL_FOLDER THREADS BATCH ACCUMULATION RANK STEPS WARM TARGET``.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, Image, Sequence
from peft import LoraConfig
from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """Seconds from behind the warm steps to behind the last."""

    def __init__(self, warm: int, steps: int) -> None:
        self.warm, self.steps = warm, steps
        self.began = self.ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        del args, control, kwargs
        if state.global_step == self.warm:
            self.began = time.monotonic()
        if state.global_step == self.steps:
            self.ended = time.monotonic()


def main() -> None:
    """Train and print the clock's seconds."""
    messages, folder, target = Path(sys.argv[1]), sys.argv[2], sys.argv[9]
    threads, batch, accumulation, rank, steps, warm = map(int, sys.argv[3:9])
    torch.set_num_threads(threads)
    rows = [json.loads(line) for line in messages.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["images"] = [str(messages.parent / image) for image in row["images"]]
    dataset = Dataset.from_list(rows).cast_column("images", Sequence(Image()))
    clock = Clock(warm, steps)
    with tempfile.TemporaryDirectory() as output:
        arguments = SFTConfig(
            output_dir=output, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
            max_steps=steps, learning_rate=1e-4, lr_scheduler_type="cosine", max_length=None, logging_steps=10,
            save_strategy="no", report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, seed=0,
        )  # fmt: skip
        trainer = SFTTrainer(
            model=AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32),
            args=arguments,
            train_dataset=dataset,
            processing_class=AutoProcessor.from_pretrained(folder, backend="pil"),
            peft_config=LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=target),
            callbacks=[clock],
        )
        trainer.train()
    os.write(1, f"\n{clock.ended - clock.began}\n".encode())


if __name__ == "__main__":
    main()
