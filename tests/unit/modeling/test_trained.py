"""The base model that a training names."""

from __future__ import annotations

import shutil

import pytest

from sam2vlm.artifacts import Counts, Manifest, RunLayout
from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.trained import find_trained_base, trained_folder


def manifest(digest, name="tiny-llava", method="lora"):
    return Manifest(
        phase="train",
        fingerprint="",
        inputs={"model": digest},
        outputs={},
        settings={"model": {"name": name}, "training": {"method": method}},
        seed=0,
        versions={},
        counts=Counts(seen=0, kept=0),
    )


def test_the_files_that_were_trained_on_are_found(tiny_source):
    base = find_trained_base(manifest(tiny_source.digest), folder=None)
    assert base.source == tiny_source
    assert base.entry.class_name == "LlavaForConditionalGeneration"


def test_what_a_training_has_made_lies_where_its_method_says(tiny_source, tmp_path):
    for method, place in (("lora", "adapter"), ("qlora", "adapter"), ("full", "model")):
        base = find_trained_base(manifest(tiny_source.digest, method=method), folder=None)
        assert trained_folder(RunLayout(tmp_path), base) == tmp_path / "train" / place


def test_a_folder_takes_the_place_of_the_checkpoint(tiny_source, tmp_path):
    folder = shutil.copytree(tiny_source.folder, tmp_path / "model")
    assert find_trained_base(manifest(tiny_source.digest), folder=folder).source.folder == folder


def test_other_files_than_those_trained_on_are_refused(tiny_source, tmp_path):
    folder = shutil.copytree(tiny_source.folder, tmp_path / "model")
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    with pytest.raises(DataError, match="not those that the training began with"):
        find_trained_base(manifest(tiny_source.digest), folder=folder)


def test_an_unknown_model_is_refused(tiny_source):
    with pytest.raises(SettingsError, match="no such model"):
        find_trained_base(manifest(tiny_source.digest, name="tiny-lava"), folder=None)
