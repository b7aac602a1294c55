from __future__ import annotations

import json

import pyarrow as pa
import pytest
from datasets import Dataset

from sam2vlm.errors import DataError
from sam2vlm.modeling.splits import read_split
from tests.training_runs import FEATURES, frame, split


@pytest.fixture
def written(tmp_path):
    def write(rows):
        rows.save_to_disk(str(tmp_path / "train"))
        return tmp_path / "train"

    return write


def of_rows(rows):
    return Dataset.from_list(rows, features=FEATURES)


def without_pictures(*numbers):
    rows = [frame(number) for number in range(4)]
    for number in numbers:
        rows[number]["image"] = None
    return of_rows(rows)


def test_a_split_comes_back_with_its_rows(written):
    assert read_split(written(split(3)))["sample_id"] == [f"video/{number:06d}" for number in range(3)]


def test_a_folder_that_is_no_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a split that prepare has written"):
        read_split(tmp_path)


def test_an_empty_split_is_refused_with_a_file_of_no_rows_and_without_one(written, tmp_path):
    with pytest.raises(DataError, match=r"train: the split has no frames \(expected at least one\)"):
        read_split(written(split(2).select([])))
    state = json.loads((written(split(2)) / "state.json").read_text())
    (name,) = [entry["filename"] for entry in state["_data_files"]]
    table = split(2).data.table.slice(0, 0)
    with pa.OSFile(str(tmp_path / "train" / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match="train: the split has no frames"):
        read_split(tmp_path / "train")


@pytest.mark.parametrize("column", ["instructions", "image", "objects"])
def test_a_dataset_without_a_column_is_another_version_s(written, column):
    with pytest.raises(DataError, match=rf"train: {column}: its dataset was written by another version"):
        read_split(written(split(2).remove_columns(column)))


def test_pictures_as_text_are_another_version_s(written):
    paths = split(2).remove_columns("image").add_column("image", ["a.png", "b.png"])
    with pytest.raises(DataError, match="train: image: its dataset was written by another version"):
        read_split(written(paths))


def test_missing_pictures_are_counted_and_the_first_is_named(written):
    with pytest.raises(DataError, match="image of video/000001: 2 of 4 frames have no picture"):
        read_split(written(without_pictures(1, 3)))


def test_a_picture_beside_the_dataset_is_none_that_is_missing(written, tmp_path):
    rows = [frame(0), frame(1)]
    beside = tmp_path / "beside.png"
    beside.write_bytes(rows[1]["image"]["bytes"])
    rows[1]["image"] = {"bytes": None, "path": str(beside)}
    folder = written(of_rows(rows))
    assert read_split(folder)[1]["image"].size == (96, 64)
