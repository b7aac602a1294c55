"""Runs for the tests of training: small prepared datasets of coloured squares, and a random tiny LLaVA."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as PillowImage

from sam2vlm.artifacts import Counts, RunLayout, open_phase

CHECKOUT = Path(__file__).parents[1]
COLOURS = {"crab": (220, 60, 40), "fish": (40, 90, 220), "weed": (40, 200, 80)}
TASKS = ("detect", "count", "describe")

FEATURES = Features(
    {
        "sample_id": Value("string"),
        "video_id": Value("string"),
        "frame_index": Value("int64"),
        "timestamp_sec": Value("float64"),
        "image": Image(),
        "width": Value("int32"),
        "height": Value("int32"),
        "objects": List(
            {
                "object_id": Value("int64"),
                "label": Value("string"),
                "bbox": List(Value("float64")),
                "area": Value("float64"),
                "segmentation": {"size": List(Value("int32")), "counts": Value("string")},
                "confidence": Value("float64"),
            }
        ),
        "instructions": List({"task": Value("string"), "prompt": Value("string"), "language": Value("string")}),
    }
)


def frame(number: int, *, width: int = 96, height: int = 64, tasks: tuple[str, ...] = ("detect",)) -> dict:
    """One row of the dataset: up to two squares on a dark ground, in reading order."""
    rng = np.random.default_rng([7, number])
    pixels = rng.integers(20, 60, (height, width, 3), dtype=np.uint8)
    objects = []
    for _ in range(int(rng.integers(1, 3))):
        label = str(rng.choice(list(COLOURS)))
        side = int(rng.integers(12, 30))
        x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
        pixels[y : y + side, x : x + side] = COLOURS[label]
        objects.append(
            {
                "object_id": len(objects) + 1,
                "label": label,
                "bbox": [float(x), float(y), float(side), float(side)],
                "area": float(side * side),
                "segmentation": {"size": [height, width], "counts": ""},
                "confidence": None,
            }
        )
    objects.sort(key=lambda item: (item["bbox"][1], item["bbox"][0], item["label"]))
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, format="PNG")
    prompts = {
        "detect": "Detect every object. Answer with its label and box.",
        "count": "Count the objects in the picture.",
        "describe": "Describe the picture.",
    }
    return {
        "sample_id": f"video/{number:06d}",
        "video_id": "video",
        "frame_index": number,
        "timestamp_sec": number / 30,
        "image": {"bytes": stream.getvalue(), "path": None},
        "width": width,
        "height": height,
        "objects": objects,
        "instructions": [{"task": task, "prompt": prompts[task], "language": "en"} for task in tasks],
    }


def split(count: int, *, start: int = 0, **options: object) -> Dataset:
    """Rows in the schema of docs/architecture.md."""
    return Dataset.from_list([frame(start + number, **options) for number in range(count)], features=FEATURES)


def prepared_run(root: Path, *, train: int = 24, val: int = 6, **options: object) -> RunLayout:
    """A run's folder with a finished prepare phase."""
    layout = RunLayout(root)
    with open_phase(layout, "prepare", inputs={"export": "0" * 64}, settings={}, seed=0) as phase:
        splits = {"train": split(train, **options), "val": split(val, start=1000, **options)}
        DatasetDict({**splits, "test": split(2, start=2000, **options)}).save_to_disk(str(phase.folder / "dataset"))
        phase.finish(counts=Counts(seen=train + val + 2, kept=train + val + 2), facts={})
    return layout


def training_environment(layout: RunLayout, **settings: object) -> dict[str, str]:
    """The environment of a short training; settings by their names below SAM2VLM_."""
    chosen = {
        "RUN": layout.root,
        "PRESET": "demo",
        "TRAINING__BATCH_SIZE": 4,
        "TRAINING__NUM_EPOCHS": 2,
        "CHECKPOINTS__SAVE_EVERY_STEPS": 4,
        "TRACKING__LOGGING_EVERY_STEPS": 2,
        # Answers of a model that has learned nothing go on to the longest; tests/integration/test_tracking.py asks.
        "TRACKING__PREDICTION_FRAMES": 0,
        **settings,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    return {**kept, **{f"SAM2VLM_{name}": str(value) for name, value in chosen.items()}, "PYTHONWARNINGS": "default"}


def start_training(layout: RunLayout, **settings: object) -> subprocess.Popen[bytes]:
    """Start ``python -m jobs.train`` and leave it alone; its events are in the run's logs."""
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.train"],
        cwd=CHECKOUT,
        env=training_environment(layout, **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def train(layout: RunLayout, **settings: object) -> tuple[int, list[dict]]:
    """Run the phase to its end; return the exit code and the events."""
    done = subprocess.run(
        [sys.executable, "-m", "jobs.train"],
        cwd=CHECKOUT,
        env=training_environment(layout, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.stderr == "", done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
