"""Run folders as the phases leave them, without any model: manifests, a curve, figures."""

from __future__ import annotations

import json

from sam2vlm.artifacts import PHASES, Counts, RunLayout, digest_of_file, open_phase
from sam2vlm.config import ConfigPresets

FIGURES = {"mAP50": 0.5, "mAP50_95": 0.25, "count_accuracy": 0.75, "foreign_labels": 3}
BASE = {"mAP50": 0.125, "mAP50_95": 0.0, "count_accuracy": 0.5, "foreign_labels": 40}
CURVE = [
    {"step": 0, "epoch": 0.0, "eval_loss": 4.0},
    {"step": 5, "epoch": 0.5, "loss": 2.0},
    {"step": 10, "epoch": 1.0, "loss": 1.0},
    {"step": 10, "epoch": 1.0, "eval_loss": 1.5},
]


def make_run(root, *, phases=PHASES[:3], rank=None, figures=None, test="frames", model="a", limit=0, curve=CURVE):
    """Write the folder of a run whose named phases are done; equal arguments give equal manifests."""
    layout = RunLayout(root)
    makers = {"prepare": lambda: _prepare(layout, test), "train": lambda: _train(layout, rank, model, curve)}
    makers["evaluate"] = lambda: _evaluate(layout, {**FIGURES, **(figures or {})}, limit)
    makers["export"] = lambda: _export(layout)
    for name in phases:
        makers[name]()
    return layout


def training_settings(rank=None):
    """The settings of a train phase with the demo preset."""
    preset = ConfigPresets.get("demo", data_path="prepare/dataset/train", val_path="prepare/dataset/val")
    settings = preset.model_dump(mode="json", exclude={"seed"}) | {"experiment_name": "reef", "tasks": ["detect"]}
    if rank is not None:
        settings["training"]["lora"]["rank"] = rank
    return settings


def _inputs(layout, *names):
    return {name: digest_of_file(layout.manifest(name)) for name in names if layout.manifest(name).is_file()}


def _prepare(layout, test):
    with open_phase(layout, "prepare", inputs={"export": "e" * 64}, settings={"gap": 1.0}, seed=0) as phase:
        for split, content in (("train", "many"), ("val", "some"), ("test", test)):
            folder = phase.folder / "dataset" / split
            folder.mkdir(parents=True)
            (folder / "data-00000-of-00001.arrow").write_text(content)
            (folder / "state.json").write_text(json.dumps({"fingerprint": test}))
        phase.finish(counts=Counts(seen=9, kept=8, dropped={"split_gap": 1}), facts={})


def _train(layout, rank, model, curve):
    inputs = {**_inputs(layout, "prepare"), "model": model * 64}
    with open_phase(layout, "train", inputs=inputs, settings=training_settings(rank), seed=0, resumable=True) as phase:
        (phase.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
        losses = [line["eval_loss"] for line in curve if "eval_loss" in line]
        result = {"steps": 10, "epochs": 1.0, "best_step": 10, "initial_val_loss": 4.0, "best_val_loss": min(losses)}
        facts = {"base_model": {"name": "tiny-llava"}, "precision": "fp32", "result": result}
        phase.finish(counts=Counts(seen=4, kept=4), facts=facts)


def _export(layout):
    with open_phase(layout, "export", inputs=_inputs(layout, *PHASES[:3]), settings={}, seed=0) as phase:
        (phase.folder / "README.md").write_text("# A model\n")
        phase.finish(counts=Counts(seen=1, kept=1), facts={})


def _evaluate(layout, figures, limit):
    settings = {"limit": limit, "threads": 1}
    with open_phase(layout, "evaluate", inputs=_inputs(layout, "prepare", "train"), settings=settings, seed=0) as phase:
        facts = {"split": "test", "metrics": {"base": BASE, "tuned": figures}, "prompts": {"detect": "What is there?"}}
        phase.finish(counts=Counts(seen=2, kept=2), facts=facts)
