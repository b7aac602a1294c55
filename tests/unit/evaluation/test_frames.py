"""What is no dataset of ours is refused in one sentence."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.errors import DataError
from sam2vlm.evaluation.frames import choose_frames, read_split
from tests.training_runs import frame, split


def saved(folder, **splits):
    DatasetDict(splits).save_to_disk(str(folder))
    return folder


def test_frames_have_the_truth_in_frame_pixels(tmp_path):
    rows = read_split(saved(tmp_path / "dataset", test=split(2)), "test")
    frames = choose_frames(rows, limit=0)
    expected = tuple(SeenObject(item["label"], tuple(item["bbox"])) for item in frame(1)["objects"])
    assert (frames[1].sample_id, frames[1].width, frames[1].height) == ("video/000001", 96, 64)
    assert frames[1].truth == expected


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a dataset with frames in every split"):
        read_split(tmp_path, "test")


def test_a_missing_split_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no such split \(expected test; found \['train'\]\)"):
        read_split(saved(tmp_path / "dataset", train=split(1)), "test")


def test_an_empty_split_is_refused(tmp_path):
    features = split(1).features
    empty = Dataset.from_dict({name: [] for name in features}, features=features)
    with pytest.raises(DataError, match="is not a dataset with frames in every split"):
        read_split(saved(tmp_path / "dataset", test=empty), "test")


@pytest.mark.parametrize(("limit", "rows"), [(0, [0, 1, 2, 3, 4]), (2, [0, 2]), (3, [0, 1, 3]), (9, [0, 1, 2, 3, 4])])
def test_a_limit_takes_frames_from_all_over_the_split(limit, rows):
    assert [item.row for item in choose_frames(split(5), limit=limit)] == rows
