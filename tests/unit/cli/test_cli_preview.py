"""The command finds the dataset wherever in its run it is pointed to, and refuses what it cannot draw."""

from __future__ import annotations

import io
import json

import pytest
import typer
from datasets import Dataset, DatasetDict
from PIL import Image
from typer.testing import CliRunner

from sam2vlm.cli.preview import preview
from sam2vlm.errors import DataError, SettingsError

app = typer.Typer()
app.command()(preview)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


def row(number, label="crab"):
    stream = io.BytesIO()
    Image.new("RGB", (80, 60), (90, 90, 90)).save(stream, format="PNG")
    return {
        "sample_id": f"v/{number:06d}",
        "image": {"bytes": stream.getvalue(), "path": None},
        "width": 80,
        "height": 60,
        "objects": [
            {
                "object_id": 1,
                "label": label,
                "bbox": [0.0, 0.0, 80.0, 60.0],
                "segmentation": {"size": [1, 1], "counts": "01"},
            }
        ],
        "instructions": [{"task": "detect", "prompt": "Where?", "language": "en"}],
    }


def saved(folder, *rows):
    from datasets import Image as ImageFeature

    split = Dataset.from_list(list(rows)).cast_column("image", ImageFeature())
    DatasetDict({"train": split}).save_to_disk(str(folder / "prepare" / "dataset"))
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("runs") / "run", *(row(number) for number in range(4)))


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The folder that the command is called from."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", ["", "prepare", "prepare/dataset"])
def test_a_run_its_prepare_folder_and_the_dataset_show_the_same(finished, place, tmp_path):
    outs = [tmp_path / name for name in ("one.png", "two.png")]
    for folder, out in zip((finished / place, finished), outs, strict=True):
        done = run(folder, "--out", out, "--count", "2")
        assert done.exit_code == 0, done.output
        assert "train: 2 frames, seed 0, boxes as llava" in done.output.replace("\n", " ")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert outs[0].read_bytes().startswith(b"\x89PNG")


def test_a_page_is_written_for_an_html_name(finished, tmp_path):
    assert run(finished, "--out", tmp_path / "deep" / "x.html").exit_code == 0
    assert (tmp_path / "deep" / "x.html").read_text().startswith("<!DOCTYPE html>")


def test_after_training_the_boxes_are_written_as_for_its_model(finished, tmp_path, monkeypatch):
    from sam2vlm.artifacts import Counts, Manifest

    manifest = Manifest(
        phase="train",
        fingerprint="0" * 64,
        inputs={},
        outputs={},
        settings={"model": {"name": "Qwen/Qwen2.5-VL-7B-Instruct"}},
        seed=0,
        versions={},
        counts=Counts(seen=0, kept=0),
        facts={},
    )
    folder = saved(tmp_path / "run", row(0))
    (folder / "train").mkdir()
    (folder / "train" / "manifest.json").write_text(json.dumps(manifest.model_dump(mode="json")))
    monkeypatch.chdir(folder / "prepare")
    assert "boxes as qwen2_5_vl" in run(".", "--out", tmp_path / "a.png").output
    assert "boxes as paligemma" in run(".", "--out", tmp_path / "a.png", "--family", "paligemma").output


def test_letters_that_the_font_has_not_are_told(tmp_path):
    folder = saved(tmp_path / "run", row(0, "鱼"))
    assert "the font has no picture of 鱼; name another" in run(folder, "--out", tmp_path / "a.png").output


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("{run}", "--split", "holiday"), DataError, "has no such split"),
        (("{run}", "--out", "x.gif"), SettingsError, "cannot be drawn"),
        (("{run}", "--family", "clip"), SettingsError, "no way to write boxes is known"),
        (("{run}/nowhere",), DataError, "found nothing"),
        (("{run}/..",), DataError, "found something else"),
        (("{run}", "--font", "{run}/prepare/dataset/dataset_dict.json"), SettingsError, "is no font"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(finished, arguments, error, said, empty_folder):
    refused = run(*(part.format(run=finished) for part in arguments))
    assert isinstance(refused.exception, error), refused.output
    assert said in str(refused.exception)
    assert list(empty_folder.iterdir()) == []
