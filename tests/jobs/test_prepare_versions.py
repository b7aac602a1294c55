"""Exports that are added to a prepared dataset: a new version, and the old one as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_from_disk

from sam2vlm.artifacts import digest_of_file, read_manifest
from sam2vlm.data_converter.dataset_versions import ALREADY_THERE, REPLACED
from sam2vlm.sample import write_sample
from tests.videos import rezipped

SPLITS = ("train", "val", "test")
SAMPLE = {"frames": 48, "objects": 3, "width": 96, "height": 64}
# These runs are about where frames come from; the rules have tests of their own.
QUIET = {"VALIDATION__LEVEL": "report-only", "REPORT__PICTURES_PER_RULE": 0}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    write_sample(folder / "reef.zip", **SAMPLE, seed=5, workers=1)
    write_sample(folder / "wreck.zip", **SAMPLE, seed=6, classes=2, workers=1)
    return folder


def manifest_of(run):
    return read_manifest(run / "prepare" / "manifest.json")


def rows_of(run):
    dataset = load_from_disk(str(run / "prepare" / "dataset"))
    return {
        split: dataset[split].select_columns(["sample_id", "video_id", "frame_index"]).to_list() for split in SPLITS
    }


def digests(run):
    """What a person who reads the earlier dataset would see."""
    return {path.relative_to(run).as_posix(): digest_of_file(path) for path in sorted(run.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def first_version(exports, tmp_path_factory):
    """A finished run over the reef, as another person left it."""
    run = tmp_path_factory.mktemp("first") / "run"
    told = {"EXPORT": exports / "reef.zip", "RUN": run, **QUIET}
    subprocess.run(
        [sys.executable, "-m", "jobs.prepare"],
        env={**os.environ, **{f"SAM2VLM_{name}": str(value) for name, value in told.items()}},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    return run


def test_new_exports_make_a_new_version_and_leave_the_old_one_as_it_is(exports, first_version, tmp_path, prepare_here):
    before = digests(first_version)

    def relabel(name, content):
        if name != "annotations.json":
            return content
        document = json.loads(content)
        for item in document["annotations"][2]["objects"]:
            item["label"] = f"great {item['label']}"
        return json.dumps(document)

    corrected = rezipped(exports / "reef.zip", tmp_path / "corrected.zip", relabel)
    places = json.dumps([str(corrected), str(exports / "wreck.zip")])
    ended = prepare_here(EXPORT=places, RUN=tmp_path / "second", EXTEND=first_version, **QUIET)
    assert ended.code == 0, ended.printed
    assert digests(first_version) == before

    old, new = rows_of(first_version), rows_of(tmp_path / "second")
    old_split = {row["frame_index"]: split for split, rows in old.items() for row in rows}
    reef_id = old["train"][0]["video_id"]
    wreck = {row["video_id"] for rows in new.values() for row in rows} - {reef_id}
    manifest = manifest_of(tmp_path / "second")
    version = manifest.facts["version"]
    assert version["extends"] == digest_of_file(first_version / "prepare" / "manifest.json")
    (corrected_id,) = version["known_videos"]
    assert version["known_videos"] == {corrected_id: reef_id}
    assert (version["number"], version["changed"], version["kept"]) == (2, 1, len(old_split) - 1)
    assert version["already_there"] == len(old_split) - 1
    # Frames that were left out as a gap between splits are left out again.
    assert version["between_splits"] == 48 - len(old_split)
    for split, rows in new.items():
        for row in rows:
            if row["video_id"] in {reef_id, corrected_id}:
                assert old_split[row["frame_index"]] == split
    (other,) = wreck - {corrected_id}
    assert {split for split, rows in new.items() if any(row["video_id"] == other for row in rows)} == set(SPLITS)
    assert manifest.counts.dropped[ALREADY_THERE] == len(old_split) - 1
    assert manifest.counts.dropped[REPLACED] == 1
    changes = json.loads((tmp_path / "second" / "prepare" / "changes.json").read_text())
    assert list(changes["changed"].values()) == [{"earlier": f"{reef_id}/000012", "what": ["annotation"]}]
    assert [one["name"] for one in manifest.facts["exports"]][1:] == ["corrected.zip", "wreck.zip"]
    report = (tmp_path / "second" / "prepare" / "report.md").read_text()
    assert "## Changes" in report
    assert f"replaces {reef_id}/000012: annotation" in report


def test_a_version_of_a_version_and_a_clip_that_is_too_short_to_be_split(first_version, tmp_path, prepare_here):
    write_sample(tmp_path / "clip.zip", **{**SAMPLE, "frames": 4}, seed=8, workers=1)
    settings = {"EXPORT": tmp_path / "clip.zip", **QUIET}
    assert prepare_here(**settings, RUN=tmp_path / "second", EXTEND=first_version).code == 0
    manifest = manifest_of(tmp_path / "second")
    assert manifest.facts["version"]["came"] == 4
    assert any("4 frames of new videos are in train as a whole" in note for note in manifest.facts["split_notes"])
    before = rows_of(first_version)
    after = rows_of(tmp_path / "second")
    assert {split: len(rows) for split, rows in after.items()} == {
        split: len(rows) + (4 if split == "train" else 0) for split, rows in before.items()
    }
    assert prepare_here(**settings, RUN=tmp_path / "third", EXTEND=tmp_path / "second" / "prepare").code == 0
    third = manifest_of(tmp_path / "third")
    assert third.facts["version"]["number"] == 3
    assert (third.facts["version"]["came"], third.facts["version"]["already_there"]) == (0, 4)
    assert rows_of(tmp_path / "third") == after


def test_a_run_does_not_extend_itself(first_version, exports, prepare_here):
    before = digests(first_version / "prepare")
    ended = prepare_here(EXPORT=exports / "wreck.zip", RUN=first_version, EXTEND=first_version, REPLACE="true")
    assert ended.code == 78
    assert "SAM2VLM_EXTEND: is this run's own" in ended.failures[0]["error"]
    assert digests(first_version / "prepare") == before
