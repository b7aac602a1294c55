"""One finished training and its evaluation, made once for all tests here."""

from __future__ import annotations

import pytest
import torch

from sam2vlm.artifacts import read_manifest
from sam2vlm.evaluation.evaluator import evaluate
from sam2vlm.modeling.trained import find_trained_base
from tests.finished_runs import EVALUATION, EXPERIMENT, finished_training


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    return finished_training(tmp_path_factory.mktemp("evaluation") / "run", test_frames=6)


@pytest.fixture(scope="session")
def base(layout):
    return find_trained_base(read_manifest(layout.manifest("train")), folder=None)


@pytest.fixture(scope="session")
def evaluation(layout, base):
    """Evaluates into a folder, with options of one's own."""

    def run(folder, **options):
        torch.set_num_threads(1)
        return evaluate(
            folder,
            dataset=layout.dataset,
            trained=layout.adapter,
            base=base,
            experiment=EXPERIMENT,
            options=EVALUATION | options,
        )

    return run


@pytest.fixture(scope="session")
def evaluated(evaluation, tmp_path_factory):
    """The folder, the counts and the facts of one evaluation."""
    folder = tmp_path_factory.mktemp("evaluated")
    return folder, *evaluation(folder)
