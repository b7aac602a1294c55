"""At least 95 % of the tokens that a model is given are the samples' own, on what `sam2vlm sample` and prepare give."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from sam2vlm.artifacts import RunLayout
from sam2vlm.config import ModelRegistry
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.collator import Collator
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.loading import load_processor
from sam2vlm.modeling.packing import PackedRows, PackingCollator
from sam2vlm.modeling.samples import Samples, select_samples
from sam2vlm.modeling.source import find_model
from sam2vlm.modeling.splits import read_split
from sam2vlm.sample import write_sample
from sam2vlm.tracking import read_metrics
from sam2vlm.trainers.packed_sampling import PackedSampler
from sam2vlm.trainers.sampling import LengthGroupedSampler
from tests.training_runs import CHECKOUT, training_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

MAX_LENGTH, EPOCHS = 512, 3
#: Samples or rows in a forward pass, and passes in a step: the demo's, then those of the other presets.
BATCHES = ((16, 1), (2, 1), (4, 4), (4, 8), (1, 16))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The sample with the command's own defaults, prepared with prepare's own."""
    root = tmp_path_factory.mktemp("sample")
    write_sample(root / "sample.zip", frames=120, objects=8, width=854, height=480, seed=0)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.prepare"],
        cwd=CHECKOUT,
        env={**kept, "SAM2VLM_RUN": str(root / "run"), "SAM2VLM_EXPORT": str(root / "sample.zip")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return RunLayout(root / "run")


@pytest.fixture(scope="module")
def samples(prepared):
    source = find_model("tiny-llava", checkpoint="package:modeling/tiny_llava")
    processor = load_processor(source.folder, name=source.name)
    split = read_split(prepared.dataset / "train")
    boxes = boxes_of(ModelRegistry.get("tiny-llava"), processor)
    kept, counts = select_samples(split, Encoder(processor), boxes=boxes, max_length=MAX_LENGTH, max_dropped_share=0.01)
    assert counts.dropped == {}
    assert len(kept) > 200
    return Samples(split, kept, processor=processor, cache_mb=64)


def share(samples, sampler, collator, rows, micro_batch):
    """The samples' own tokens over all that a model is given, padding included, of all epochs."""
    useful = given = 0
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        order = list(sampler)
        for start in range(0, len(order), micro_batch):
            batch = collator([rows[item] for item in order[start : start + micro_batch]])
            useful += sum(samples.lengths[number] for number in batch["sample_numbers"].tolist())
            given += batch["input_ids"].numel()
    return useful / given


@pytest.mark.parametrize(("micro_batch", "passes"), BATCHES)
def test_batches_by_length(samples, micro_batch, passes):
    sampler = LengthGroupedSampler(samples.lengths, global_batch=micro_batch * passes, seed=42)
    assert share(samples, sampler, Collator(pad_token_id=0), samples, micro_batch) >= 0.95


@pytest.mark.parametrize(("micro_batch", "passes"), BATCHES)
def test_packed_rows(samples, micro_batch, passes):
    sampler = PackedSampler(
        samples.lengths, row_tokens=MAX_LENGTH, epochs=EPOCHS, global_batch=micro_batch * passes, seed=42
    )
    assert share(samples, sampler, PackingCollator(pad_token_id=0), PackedRows(samples), micro_batch) >= 0.97


@pytest.mark.parametrize("packing", [False, True], ids=["by length", "packed"])
def test_the_share_that_a_training_writes_down(prepared, server, tmp_path, packing):
    shutil.copytree(prepared.root, tmp_path / "run")
    layout = RunLayout(tmp_path / "run")
    # One line over the whole epoch, with the demo's own batches.
    settings = {"TRAINING__BATCH_SIZE": 16, "TRAINING__NUM_EPOCHS": 1, "TRACKING__LOGGING_EVERY_STEPS": 1000}
    environment = training_environment(layout, **settings, TRAINING__PACKING=packing, REQUIRE_LEARNING="false")
    assert server.attempt(environment) == 0
    (line,) = [line for line in read_metrics(layout.phase("train") / "metrics.jsonl") if "loss" in line]
    assert line["useful_token_share"] >= 0.95
