"""A loss that is no number: one weight of the model is not, and one question of the dataset meets it."""

from __future__ import annotations

import json
import shutil

import pytest
from datasets import Dataset, DatasetDict
from safetensors.torch import load_file, save_file

from sam2vlm.artifacts import Counts, RunLayout, open_phase
from sam2vlm.checkpoints import CheckpointManager
from sam2vlm.modeling.source import find_model
from tests.training_runs import FEATURES, frame, train

# Two bytes, and so two tokens, that no other question or answer has.
RARE, TOKENS = "\u03a9", (138, 102)
POISONED = "video/000005#detect"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The packaged model; the rare sign's embedding is not a number."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(find_model("tiny-llava", checkpoint="package:modeling/tiny_llava").folder, folder)
    values = load_file(folder / "model.safetensors")
    name = next(name for name in values if name.endswith("embed_tokens.weight"))
    values[name][list(TOKENS)] = float("nan")
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def run_with(root, model, *, poisoned_split):
    """Train on 24 frames, of which one in the split asks with the rare sign; a checkpoint after every step."""
    numbers = {"train": range(24), "val": range(1000, 1004), "test": range(2000, 2002)}
    rows = {name: [frame(number) for number in of_split] for name, of_split in numbers.items()}
    place = 5 if poisoned_split == "train" else 1
    rows[poisoned_split][place]["instructions"][0]["prompt"] += f" {RARE}"
    layout = RunLayout(root)
    with open_phase(layout, "prepare", inputs={"export": "0" * 64}, settings={}, seed=0) as phase:
        splits = {name: Dataset.from_list(some, features=FEATURES) for name, some in rows.items()}
        DatasetDict(splits).save_to_disk(str(phase.folder / "dataset"))
        phase.finish(counts=Counts(seen=30, kept=30), facts={})
    code, events = train(
        layout,
        # With this seed the poisoned frame, which is the longest, comes in the third step.
        SEED=1,
        MODEL_FOLDER=model,
        TRAINING__NUM_EPOCHS=1,
        CHECKPOINTS__SAVE_EVERY_STEPS=1,
        TRACKING__EVAL_EVERY_STEPS=100,
        REQUIRE_LEARNING="false",
    )
    return layout, code, events


@pytest.mark.integration
def test_a_training_loss_names_step_and_samples_and_the_checkpoint_before_it_is_kept(tmp_path, model):
    layout, code, events = run_with(tmp_path / "run", model, poisoned_split="train")
    assert code == 65, events[-1]
    saved = [event["step"] for event in events if event["event"] == "checkpoint_saved"]
    assert saved == [1, 2]
    named, _, told = events[-1]["error"].partition(": loss: ")
    assert told == (
        "the loss is not finite at step 3; lower the learning rate or look at these samples; "
        "the checkpoint of step 2 is kept (expected a finite number; found nan)"
    )
    assert POISONED in named.split(", ")
    assert len(named.split(", ")) == 4
    assert sorted(path.name for path in layout.checkpoints.iterdir()) == ["step-000001", "step-000002"]
    fingerprint = json.loads((layout.phase("train") / "started.json").read_text())["fingerprint"]
    good = CheckpointManager(layout.checkpoints, fingerprint=fingerprint, world_size=1).open(2)
    weights = load_file(good.folder / "adapter_model.safetensors")
    assert all(values.isfinite().all() for values in weights.values())
    assert not layout.manifest("train").exists()


@pytest.mark.integration
def test_a_validation_loss_is_refused_before_the_first_step(tmp_path, model):
    layout, code, events = run_with(tmp_path / "run", model, poisoned_split="val")
    assert code == 65, events[-1]
    assert "the validation loss is not finite before the first step" in events[-1]["error"]
    assert "video/001001#detect" in events[-1]["error"].partition(": eval_loss: ")[0].split(", ")
    assert not layout.manifest("train").exists()
