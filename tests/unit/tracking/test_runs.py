"""Runs on a volume: found, read, refused where they are torn, and held against each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sam2vlm.artifacts import PHASES
from sam2vlm.config import ConfigPresets
from sam2vlm.errors import DataError
from sam2vlm.evaluation.metrics import METRICS
from sam2vlm.tracking.runs import compare_runs, find_runs, read_run
from sam2vlm.tracking.runs.comparison import EVALUATION_FIGURES, VALIDATION_LOSS, FigureRow
from sam2vlm.tracking.runs.nearest_preset import NearestPreset, nearest_preset
from sam2vlm.tracking.runs.words import plain, verdict
from tests.run_folders import CURVE, make_run, training_settings


def compare(*layouts):
    return compare_runs([read_run(layout.root) for layout in layouts])


def row(comparison, name):
    return next(row for row in comparison.figures if row.name == name)


def test_a_run_says_how_far_it_is_and_what_it_came_to(tmp_path):
    layout = make_run(tmp_path / "one", phases=("prepare", "train"))
    (tmp_path / "one" / ".evaluate.partial").mkdir()
    (tmp_path / "one" / ".evaluate.partial" / "started.json").write_text("{}")
    run = read_run(layout.root)
    assert list(run.standing.values()) == ["done", "done", "half done", "missing"]
    assert (run.name, run.experiment, run.trained.result.steps) == ("one", "reef", 10)
    assert run.evaluated is None
    assert [dict(line) for line in run.curve] == CURVE
    assert run.settings["train.training.lora.rank"] == 16
    assert run.settings["prepare.seed"] == 0


def test_the_export_that_came_in_is_not_the_export_that_went_out(tmp_path):
    run = read_run(make_run(tmp_path / "one", phases=PHASES).root)
    assert set(run.standing.values()) == {"done"}
    assert run.manifests["prepare"].inputs["export"] != run.digests["export"]


def test_a_training_at_work_has_a_curve_up_to_its_torn_line(tmp_path):
    layout = make_run(tmp_path / "one", phases=("prepare",))
    layout.phase("train").mkdir()
    lines = [json.dumps(line) for line in CURVE[:2]]
    (layout.phase("train") / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 7, "lo')
    run = read_run(layout.root)
    assert run.standing["train"] == "half done"
    assert [line["step"] for line in run.curve] == [0, 5]


def test_runs_are_found_in_any_depth_and_the_newest_comes_first(tmp_path):
    for number, name in enumerate(("b", "sweep/a", "sweep/deeper/c")):
        layout = make_run(tmp_path / name, phases=("prepare",))
        make_run(layout.phase("prepare") / "inside", phases=())
        for path in (layout.manifest("prepare"), layout.root / ".prepare.lock"):
            os.utime(path, ns=(1, (1000 - number) * 10**9))
    (tmp_path / "notes").mkdir()
    make_run(tmp_path / ".hidden" / "d", phases=("prepare",))
    found, torn = find_runs(tmp_path)
    assert [run.name for run in found] == ["b", "sweep/a", "sweep/deeper/c"]
    assert torn == []
    os.utime(tmp_path / "sweep/a/prepare/manifest.json", ns=(1, 2000 * 10**9))
    assert [run.name for run in find_runs(tmp_path)[0]] == ["sweep/a", "b", "sweep/deeper/c"]
    assert [run.name for run in find_runs(tmp_path / "b")[0]] == ["b"]


def test_a_torn_run_does_not_hide_the_others(tmp_path):
    make_run(tmp_path / "good", phases=("prepare",))
    layout = make_run(tmp_path / "torn", phases=("prepare",))
    layout.manifest("prepare").write_text('{"phase": ')
    found, torn = find_runs(tmp_path)
    assert [run.name for run in found] == ["good"]
    assert [run.name for run in torn] == ["torn"]
    assert "is not a JSON manifest" in torn[0].reason


def _edit_manifest(layout, phase, change):
    path = layout.manifest(phase)
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


DAMAGES = {
    "is no run's folder": lambda layout: [path.unlink() for path in layout.root.rglob("*") if path.is_file()],
    "is not a JSON manifest": lambda layout: layout.manifest("train").write_bytes(b"\xff\xfe{}"),
    "NaN is no JSON number": lambda layout: layout.manifest("train").write_text('{"seed": NaN}'),
    "too large a number": lambda layout: layout.manifest("train").write_text('{"seed": 1e999}'),
    "Field required": lambda layout: layout.manifest("train").write_text("{}"),
    "changed by hand": lambda layout: _edit_manifest(
        layout, "train", lambda manifest: manifest["settings"].update(threads=9)
    ),
    "another phase's manifest": lambda layout: layout.manifest("train").write_bytes(
        layout.manifest("prepare").read_bytes()
    ),
    "from another prepare": lambda layout: _edit_manifest(
        layout, "prepare", lambda manifest: manifest["counts"].update(seen=10, kept=9)
    ),
    "facts.result.steps": lambda layout: _edit_manifest(
        layout, "train", lambda manifest: manifest["facts"]["result"].update(steps="many")
    ),
    "changed since training finished": lambda layout: (layout.phase("train") / "metrics.jsonl").write_text("{}\n"),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_what_is_torn_or_foreign_is_refused_in_one_sentence(tmp_path, reason):
    layout = make_run(tmp_path / "one", phases=("prepare", "train"))
    DAMAGES[reason](layout)
    with pytest.raises(DataError, match=reason) as caught:
        read_run(layout.root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["7", "[]", '{"loss": 1.0}', '{"step": 1, "loss": NaN}', '{"step": 1, "loss": "low"}'])
def test_a_line_that_holds_no_figures_is_named(tmp_path, line):
    layout = make_run(tmp_path / "one", phases=("prepare",))
    layout.phase("train").mkdir()
    (layout.phase("train") / "metrics.jsonl").write_text(f'{{"step": 1, "loss": 1.0}}\n{line}\n')
    with pytest.raises(DataError, match="line 2: is not a line of figures"):
        read_run(layout.root)


def test_the_better_run_is_named_with_its_margin_in_either_direction(tmp_path):
    one = make_run(tmp_path / "one", figures={"mAP50": 0.5, "foreign_labels": 3})
    two = make_run(tmp_path / "two", figures={"mAP50": 0.625, "foreign_labels": 4}, rank=8)
    comparison = compare(one, two)
    assert (row(comparison, "mAP50").best, row(comparison, "mAP50").margin) == ((1,), 0.125)
    assert (row(comparison, "foreign_labels").best, row(comparison, "foreign_labels").margin) == ((0,), 1)
    assert row(comparison, "count_accuracy").best == (0, 1)
    assert row(comparison, "count_accuracy").margin is None
    assert [(setting.name, setting.values) for setting in comparison.settings] == [
        ("train.training.lora.rank", (16, 8))
    ]
    assert comparison.splits == {"train": True, "val": True, "test": True}
    assert comparison.cautions == ()


def test_other_test_frames_are_not_compared(tmp_path):
    one = make_run(tmp_path / "one")
    two = make_run(tmp_path / "two", test="other frames", figures={"mAP50": 0.9})
    comparison = compare(one, two)
    assert comparison.splits == {"train": True, "val": True, "test": False}
    assert not any(row.comparable for row in comparison.figures if row.name != VALIDATION_LOSS)
    assert row(comparison, "mAP50").best == ()
    assert row(comparison, VALIDATION_LOSS).comparable
    assert any("test splits differ by digest" in caution for caution in comparison.cautions)


def test_another_number_of_frames_or_an_unknown_split_is_not_compared(tmp_path):
    one = make_run(tmp_path / "one")
    comparison = compare(one, make_run(tmp_path / "two", limit=1))
    assert not row(comparison, "mAP50").comparable
    alone = make_run(tmp_path / "three", test="others", phases=("prepare", "train", "evaluate"))
    for path in sorted(alone.phase("prepare").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    comparison = compare(one, alone)
    assert comparison.splits["test"] is None
    assert not row(comparison, "mAP50").comparable


def test_a_run_without_its_prepare_phase_is_known_by_the_digest_it_was_made_from(tmp_path):
    one, two = make_run(tmp_path / "one"), make_run(tmp_path / "two")
    two.manifest("prepare").unlink()
    assert compare(one, two).splits["test"] is True


def test_the_losses_of_other_models_are_not_compared(tmp_path):
    comparison = compare(make_run(tmp_path / "one"), make_run(tmp_path / "two", model="b"))
    assert not row(comparison, VALIDATION_LOSS).comparable
    assert row(comparison, "mAP50").comparable
    assert [(item.name, item.values) for item in comparison.inputs] == [("train.model", ("a" * 64, "b" * 64))]


def test_one_run_or_one_name_twice_is_no_comparison(tmp_path):
    run = read_run(make_run(tmp_path / "one", phases=("prepare",)).root)
    for runs in ([run], [run, run]):
        with pytest.raises(DataError, match="two or more different ones"):
            compare_runs(runs)


def test_every_figure_of_the_evaluation_has_a_direction():
    assert set(METRICS) <= set(EVALUATION_FIGURES)


@pytest.mark.parametrize(
    ("values", "more", "told"),
    [
        ((0.5, 0.75), True, "b, by 0.25 (50.0 %)"),
        ((2.0, 1.5), False, "b, by 0.5 (25.0 %)"),
        ((0.0, 0.25), True, "b, by 0.25"),
        ((0.5, 0.5), True, "all equal"),
        ((0.5, None), True, "-"),
        ((0.5, 0.75, 0.75), True, "b and c, equal"),
        ((0.5, 0.75, 0.7), True, "b, by 0.05 (7.1 %)"),
    ],
)
def test_verdicts(values, more, told):
    assert verdict(FigureRow("x", more, values, comparable=True), ["a", "b", "c"][: len(values)]) == told


@pytest.mark.parametrize("name", ConfigPresets.names())
def test_every_preset_is_recognised_by_its_values(name):
    preset = ConfigPresets.get(name, data_path="a", val_path="b")
    assert nearest_preset(preset.model_dump(mode="json")) == NearestPreset(name, 0)


def test_a_changed_preset_is_told_with_the_number_of_changes():
    assert nearest_preset(training_settings(rank=8)) == NearestPreset("demo", 1)


def test_what_would_command_a_terminal_is_shown_and_not_obeyed():
    assert plain("a\x1b[2Jb") == r"a\x1b[2Jb"


def test_reading_runs_needs_no_torch():
    code = "import sys, sam2vlm.tracking.runs, sam2vlm.tracking.runs.document; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
