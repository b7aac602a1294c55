"""One finished evaluation and what is exported from it, made once for all tests here."""

from __future__ import annotations

import os
import shutil

import pytest
import torch

from sam2vlm.artifacts import read_manifest
from sam2vlm.export.adapter import export_adapter
from sam2vlm.export.merge import export_merged
from sam2vlm.export.verify import VerificationPlan
from sam2vlm.modeling.trained import find_trained_base
from tests.finished_runs import EVALUATION, MODEL, finished_evaluation, finished_training


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    layout = finished_training(tmp_path_factory.mktemp("export") / "run", test_frames=6)
    finished_evaluation(layout)
    return layout


@pytest.fixture(scope="session")
def base(layout):
    return find_trained_base(read_manifest(layout.manifest("train")), folder=None)


@pytest.fixture(scope="session")
def exported(layout, base, tmp_path_factory):
    """A folder with ``adapter`` and ``merged``."""
    folder = tmp_path_factory.mktemp("exported")
    export_adapter(layout.adapter, folder / "adapter", base=MODEL)
    export_merged(folder / "adapter", folder / "merged", base=base, dtype=torch.float32)
    return folder


@pytest.fixture
def copied(exported, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(exported, tmp_path / "exported")


@pytest.fixture
def plan_for(layout, base):
    """Makes the plan to verify a folder."""

    def plan(folder, **changes):
        torch.set_num_threads(1)
        values = {
            "export": os.fspath(folder),
            "base_name": MODEL,
            "base_folder": os.fspath(base.source.folder),
            "class_name": base.entry.class_name,
            "dataset": os.fspath(layout.dataset),
            "split": "test",
            "predictions": os.fspath(layout.phase("evaluate") / "predictions" / "tuned.jsonl"),
            "samples": 3,
            "batch_size": EVALUATION["batch_size"],
            "max_new_tokens": EVALUATION["max_new_tokens"],
            "threads": 1,
            "seed": 0,
            "device": "cpu",
            "dtype": "float32",
            "adapter_text_share": 1.0,
            "merged_text_share": 1.0,
            "logits_tolerance": 1e-3,
            "logs": os.fspath(layout.logs),
        }
        return VerificationPlan(**(values | changes))

    return plan
