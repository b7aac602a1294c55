"""``sam2vlm runs``: the same facts as a table, as Markdown, as one page and as JSON."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from typer.testing import CliRunner

from sam2vlm.cli import main
from sam2vlm.cli.runs import runs
from sam2vlm.errors import SettingsError
from tests.run_folders import make_run


def run(*arguments):
    result = CliRunner(env={"COLUMNS": "220"}).invoke(runs, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def folder(tmp_path):
    make_run(tmp_path / "runs" / "one", figures={"mAP50": 0.5})
    make_run(tmp_path / "runs" / "two", figures={"mAP50": 0.75}, rank=8)
    return tmp_path / "runs"


def cells(output, name):
    line = next(line for line in output.splitlines() if re.match(rf"[│|]? *{re.escape(name)} ", line))
    return [cell.strip() for cell in re.split("[│|]", line.strip("│| "))]


def test_the_list_has_phases_model_preset_and_figures(folder):
    assert cells(run("list", folder), "two") == [
        *("two", "done", "done", "done", "missing", "reef", "tiny-llava", "demo + 1 changed", "10"),
        *("1.5000", "0.1250", "0.7500"),
    ]
    listed = {item["run"]: item for item in json.loads(run("list", folder, "--json"))}
    assert listed["one"]["preset"] == {"nearest": "demo", "changed": 0}
    assert listed["two"]["figures"]["mAP50"] == {"base": 0.125, "tuned": 0.75}
    assert listed["two"]["phases"] == {"prepare": "done", "train": "done", "evaluate": "done", "export": "missing"}


def test_no_run_is_said_and_is_no_error(tmp_path):
    assert run("list", tmp_path).startswith("There is no run below")


def test_show_has_counts_results_and_settings(folder):
    shown = run("show", folder / "one")
    assert cells(shown, "prepare") == ["prepare", "done", "9", "8", "1 split_gap"]
    assert cells(shown, "mAP50") == ["mAP50", "0.1250", "0.5000"]
    assert cells(shown, "train.training.lora.rank") == ["train.training.lora.rank", "16"]
    assert json.loads(run("show", folder / "one", "--json"))["settings"]["train.training.lora.rank"] == 16


def test_a_comparison_in_the_terminal_and_as_markdown_says_the_same(folder, tmp_path):
    shown = run("compare", folder / "one", folder / "two", "--out", tmp_path / "x.md")
    expected = ["mAP50", "more", "0.5000", "0.7500", "two, by 0.25 (50.0 %)"]
    assert cells(shown, "mAP50") == expected
    assert cells(shown, "train.training.lora.rank") == ["train.training.lora.rank", "16", "8"]
    text = (tmp_path / "x.md").read_text()
    assert cells(text, "mAP50") == expected
    assert "](<x-loss.svg>)" in text
    assert ET.parse(tmp_path / "x-loss.svg").getroot().tag.endswith("svg")
    with Image.open(tmp_path / "x-loss.png") as picture:
        assert picture.size == (800, 450)


def test_the_page_is_one_file_with_the_curves_inside_and_equal_runs_give_equal_bytes(folder, tmp_path):
    for name in ("a.html", "b.html"):
        run("compare", folder / "one", folder / "two", "--out", tmp_path / name)
    page = (tmp_path / "a.html").read_text()
    assert page == (tmp_path / "b.html").read_text()
    (picture,) = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert ET.fromstring(base64.b64decode(picture)).tag.endswith("svg")
    assert not re.findall(r"<script|<link|(?:src|href)=\"(?!data:|#)", page)
    assert "two, by 0.25 (50.0 %)" in page
    assert str(tmp_path) not in page


def test_what_a_run_says_becomes_no_markup(tmp_path):
    for name in ("<b>one", "two|*"):
        make_run(tmp_path / name)
    run("compare", tmp_path / "<b>one", tmp_path / "two|*", "--out", tmp_path / "x.html", "--out", tmp_path / "x.md")
    assert "<b>one" not in (tmp_path / "x.html").read_text()
    assert r"\<b\>one" in (tmp_path / "x.md").read_text()


def test_other_test_splits_are_told_everywhere(folder, tmp_path):
    make_run(folder / "three", test="others")
    out = [argument for name in ("x.html", "x.md") for argument in ("--out", tmp_path / name)]
    shown = run("compare", folder / "one", folder / "three", *out)
    for text in (shown, (tmp_path / "x.html").read_text(), (tmp_path / "x.md").read_text()):
        assert "The test splits differ by digest" in text
        assert "not comparable" in text
    facts = json.loads(run("compare", folder / "one", folder / "three", "--json"))
    assert facts["same_splits"]["test"] is False
    assert [row["best"] for row in facts["figures"] if row["figure"] == "mAP50"] == [[]]


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path):
    make_run(tmp_path / "a" / "run")
    make_run(tmp_path / "b" / "run", figures={"mAP50": 0.9})
    facts = json.loads(run("compare", tmp_path / "a" / "run", tmp_path / "b" / "run", "--json"))
    assert [item["run"] for item in facts["runs"]] == [str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run")]


def test_a_run_that_is_still_training_is_compared_by_its_curve(folder, tmp_path):
    layout = make_run(folder / "new", phases=("prepare",))
    layout.phase("train").mkdir()
    (layout.phase("train") / "metrics.jsonl").write_text('{"step": 5, "loss": 3.0}\n')
    shown = run("compare", folder / "one", folder / "new", "--out", tmp_path / "x.html")
    assert "The training of new is not done" in shown
    assert "<img" in (tmp_path / "x.html").read_text()


def test_an_unknown_kind_of_document_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SettingsError, match=r"\.md or \.html"):
        run("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "x.pdf")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "torn: cannot be read: "),
        (["show", "runs/torn"], "is not a JSON manifest"),
        (["show", "."], "is no run's folder"),
        (["compare", "runs/one", "runs/torn"], "is not a JSON manifest"),
        (["list", "nowhere"], "there is no such folder"),
    ],
)
def test_a_torn_or_foreign_folder_ends_with_one_sentence_and_65(folder, monkeypatch, capsys, arguments, said):
    layout = make_run(folder / "torn", phases=("prepare",))
    layout.manifest("prepare").write_text("{")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("sys.argv", ["sam2vlm", "runs", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 65
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert ("one" in told.out) == (arguments == ["list"])
