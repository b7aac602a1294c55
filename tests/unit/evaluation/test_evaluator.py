"""A whole evaluation with the packaged tiny model and a real adapter of random weights."""

from __future__ import annotations

import io
import json
import re

import pytest
from PIL import Image

from sam2vlm.artifacts import Counts, files_below
from sam2vlm.evaluation.frames import choose_frames, read_split
from sam2vlm.evaluation.generation import canonical_prompts
from sam2vlm.evaluation.metrics import METRICS

FILES = {"metrics.json", "report.md", "predictions/base.jsonl", "predictions/tuned.jsonl"}


def rows_of(folder, model):
    return [json.loads(line) for line in (folder / "predictions" / f"{model}.jsonl").read_text().splitlines()]


def test_it_writes_the_files_that_people_rely_on(evaluated):
    folder, counts, _ = evaluated
    pictures = {f"pictures/{kind}-{number:02d}.png" for kind in ("best", "worst") for number in (1, 2)}
    assert set(files_below(folder)) == FILES | pictures
    assert counts == Counts(seen=6, kept=6)


def test_metrics_have_all_figures_of_base_tuned_and_ceiling(evaluated):
    folder, _, facts = evaluated
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics) == {"base", "tuned", "ceiling"}
    for figures in metrics.values():
        for name in METRICS:
            assert isinstance(figures[name], float) or (figures[name] is None and name in figures["undefined"])
    assert metrics == facts["metrics"]


def test_the_ceiling_loses_nothing_but_the_rounding(evaluated):
    _, _, facts = evaluated
    ceiling = facts["metrics"]["ceiling"]
    assert ceiling["mAP50"] == ceiling["count_accuracy"] == ceiling["label_accuracy"] == 1.0
    assert 0.8 < ceiling["mAP50_95"] < 1.0


def test_every_frame_is_asked_both_questions_and_the_truth_stands_beside(evaluated, layout):
    folder, _, _ = evaluated
    split = read_split(layout.dataset, "test")
    for model in ("base", "tuned"):
        rows = rows_of(folder, model)
        assert [(row["sample_id"], row["task"]) for row in rows] == [
            (name, task) for task in ("detect", "count") for name in split["sample_id"]
        ]
        assert {row["task"]: row["prompt"] for row in rows} == canonical_prompts()
        for row, objects in zip(rows[:6], split["objects"], strict=True):
            assert [item["bbox"] for item in row["truth"]["objects"]] == [item["bbox"] for item in objects]
            assert isinstance(row["objects"], list)


def test_base_and_tuned_are_two_models(evaluated):
    folder, _, _ = evaluated
    answers = {model: [row["answer"] for row in rows_of(folder, model)] for model in ("base", "tuned")}
    assert answers["base"] != answers["tuned"]


def test_what_the_batches_are_made_of_is_no_matter_of_chance(evaluated, evaluation, tmp_path):
    folder, _, facts = evaluated
    assert evaluation(tmp_path)[1] == facts
    assert {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)} == {
        name: (folder / name).read_bytes() for name in files_below(folder)
    }


def test_a_limit_is_spread_over_the_split_and_counted(evaluation, layout, tmp_path):
    counts, _ = evaluation(tmp_path, limit=2, pictures=0)
    assert counts == Counts(seen=6, kept=2, dropped={"beyond the limit": 4})
    frames = choose_frames(read_split(layout.dataset, "test"), limit=2)
    assert [frame.sample_id for frame in frames] == ["video/002000", "video/002003"]
    assert not (tmp_path / "pictures").exists()


def test_the_report_shows_its_pictures_by_relative_paths(evaluated):
    folder, _, facts = evaluated
    report = (folder / "report.md").read_text()
    assert report.startswith(f"# {facts['verdict']}\n")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", report)
    assert sorted(shown) == [name for name in files_below(folder) if name.endswith(".png")]
    for name in shown:
        with Image.open(io.BytesIO((folder / name).read_bytes())) as picture:
            assert picture.format == "PNG"
            assert picture.width > 600


def test_cuda_that_is_not_there_is_refused(evaluation, tmp_path):
    import torch

    from sam2vlm.errors import SettingsError

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(SettingsError, match="this machine has none"):
        evaluation(tmp_path, device="cuda")
