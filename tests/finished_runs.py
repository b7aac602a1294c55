"""Runs whose training is finished, for the tests of evaluation and export: a real PEFT adapter with random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from datasets import DatasetDict
from peft import LoraConfig, get_peft_model

from sam2vlm.artifacts import Counts, RunLayout, digest_of_file, open_phase, read_manifest
from sam2vlm.config import ModelRegistry
from sam2vlm.evaluation.evaluator import evaluate
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.modeling.source import find_model
from sam2vlm.modeling.trained import find_trained_base
from tests.training_runs import split

CHECKOUT = Path(__file__).parents[1]
MODEL = "tiny-llava"
EXPERIMENT = "reef"
EVALUATION = {"limit": 0, "batch_size": 4, "max_new_tokens": 16, "pictures": 2, "device": "cpu", "precision": "auto"}


def finished_training(root: Path, *, test_frames: int = 6, spread: float = 0.1) -> RunLayout:
    """Make a run's folder with finished prepare and train phases.

    Args:
        root: The run's folder.
        test_frames: Frames of the test split.
        spread: Standard deviation of the adapter's random weights; 0 leaves the base as it is.
    """
    layout = RunLayout(root)
    finished_preparation(layout, test_frames)
    _train(layout, spread)
    return layout


def finished_evaluation(layout: RunLayout, **options: object) -> None:
    """Evaluate in this process, on one thread, and finish the phase."""
    torch.set_num_threads(1)
    chosen = {**EVALUATION, **options}
    base = find_trained_base(read_manifest(layout.manifest("train")), folder=None)
    settings = {**chosen, "experiment": EXPERIMENT, "threads": 1}
    with open_phase(layout, "evaluate", inputs={}, settings=settings, seed=0) as phase:
        counts, facts = evaluate(
            phase.folder,
            dataset=layout.dataset,
            trained=layout.adapter,
            base=base,
            experiment=EXPERIMENT,
            options=chosen,
        )
        phase.finish(counts=counts, facts=facts)


def finished_preparation(layout: RunLayout, test_frames: int) -> None:
    """Finish a run's prepare phase with all that the later ones read from it."""
    counts = {"train": 4, "val": 2, "test": test_frames}
    settings = {"split": {"strategy": "temporal", "gap_sec": 1.0}}
    with open_phase(layout, "prepare", inputs={"export": "0" * 64}, settings=settings, seed=0) as phase:
        splits = {
            name: split(count, start=1000 * number, tasks=("detect", "count"))
            for number, (name, count) in enumerate(counts.items())
        }
        DatasetDict(splits).save_to_disk(str(phase.folder / "dataset"))
        facts = {
            "dialect": "sam2-demo-1.0.0",
            "labels": ["crab", "fish", "weed"],
            "splits": {name: _split_facts(rows) for name, rows in splits.items()},
            "video": {"video_id": "video", "filename": "reef.mp4", "width": 96, "height": 64, "source_fps": 30.0},
        }
        phase.finish(
            counts=Counts(seen=sum(counts.values()) + 1, kept=sum(counts.values()), dropped={"no_picture": 1}),
            facts=facts,
        )


def _split_facts(rows):
    labels = [item["label"] for row in rows.remove_columns("image") for item in row["objects"]]
    return {
        "frames": len(rows),
        "objects": len(labels),
        "labels": {label: labels.count(label) for label in sorted(set(labels))},
    }


def _train(layout: RunLayout, spread: float) -> None:
    entry = ModelRegistry.get(MODEL)
    source = find_model(MODEL, checkpoint=ModelRegistry.resolve(MODEL))
    settings = {
        "model": {"name": MODEL, "type": "llava"},
        "training": {
            "method": "lora",
            "learning_rate": 0.004,
            "batch_size": 16,
            "gradient_accumulation_steps": 1,
            "lora": {"rank": 4, "alpha": 8.0, "dropout": 0.0},
        },
    }
    digest = digest_of_file(layout.manifest("prepare"))
    with open_phase(
        layout, "train", inputs={"prepare": digest, "model": source.digest}, settings=settings, seed=0, resumable=True
    ) as phase:
        parameters = _save_adapter(layout.adapter, source, entry, spread)
        facts = {
            "adapter": {"target_modules": entry.lora_target, "parameters": parameters},
            "boxes": entry.boxes.model_dump(mode="json"),
            "precision": "fp32",
            "world_size": 1,
            "samples": {
                "train": {"seen": 8, "kept": 8, "dropped": {}},
                "val": {"seen": 4, "kept": 4, "dropped": {}},
            },
            "result": {"steps": 10, "epochs": 10.0, "initial_val_loss": 3.2, "best_val_loss": 0.4, "best_step": 10},
        }
        phase.finish(counts=Counts(seen=8, kept=8), facts=facts)


def _save_adapter(folder, source, entry, spread) -> int:
    model = load_model(source, class_name=entry.class_name, dtype=torch.float32)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=entry.lora_target, task_type="CAUSAL_LM", base_model_name_or_path=MODEL
    )
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(0)
    weights = [weight for name, weight in adapted.named_parameters() if "lora_" in name]
    with torch.no_grad():
        for weight in weights:
            weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink()
    load_processor(source.folder, name=MODEL).save_pretrained(str(folder))
    return sum(weight.numel() for weight in weights)


def phase_environment(layout: RunLayout, **settings: object) -> dict[str, str]:
    """The environment of a phase; settings by their names below SAM2VLM_."""
    chosen = {"RUN": layout.root, "EXPERIMENT": EXPERIMENT, "EVALUATION__MAX_NEW_TOKENS": 24, **settings}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    return {**kept, **{f"SAM2VLM_{name}": str(value) for name, value in chosen.items()}}


def start_phase(phase: str, layout: RunLayout, **settings: object) -> subprocess.Popen[str]:
    """Start ``python -m jobs.<phase>``."""
    return subprocess.Popen(
        [sys.executable, "-m", f"jobs.{phase}"],
        cwd=CHECKOUT,
        env=phase_environment(layout, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_phase(phase: str, layout: RunLayout, **settings: object) -> tuple[int, list[dict]]:
    """Run a phase to its end; return the exit code and the events. Nothing but JSON lines may be said."""
    out, err = (process := start_phase(phase, layout, **settings)).communicate(timeout=300)
    assert err == "", err
    return process.returncode, [json.loads(line) for line in out.splitlines()]
