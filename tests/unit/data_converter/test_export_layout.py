"""The tool's layout, and what people make of it."""

from __future__ import annotations

import pytest

from sam2vlm.data_converter.archive import open_archive
from sam2vlm.data_converter.entry_names import picture_index
from sam2vlm.data_converter.export_layout import find_layout
from sam2vlm.errors import DataError


def layout_of(tmp_path, names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return find_layout(open_archive(tmp_path))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("images/frame_000012.png", 12),
        ("frames/0012.JPG", 12),
        ("data/12.jpeg", 12),
        ("FRAME_7.Png", 7),
        ("frame-7.jpg", 7),
        ("größe/frame_0.png", 0),
        ("thumbnail.png", None),
        ("frame_.png", None),
        ("frame_12.gif", None),
        ("frame_12.png.txt", None),
        ("frame_1_2.png", None),
        ("frame_-1.png", None),
        ("frame_٣.png", None),
    ],
)
def test_the_number_of_a_picture(name, index):
    assert picture_index(name) == index


@pytest.mark.parametrize("wrap", ["", "export/", "größe/画像/"])
@pytest.mark.parametrize("folder", ["images/", "frames/", "data/", "Images/", "", "sub/frames/"])
def test_wrapping_folders_and_picture_folders(tmp_path, wrap, folder):
    found = layout_of(tmp_path, [f"{wrap}annotations.json", f"{wrap}metadata.json", f"{wrap}{folder}frame_000003.png"])
    assert found.annotations == f"{wrap}annotations.json"
    assert found.metadata == f"{wrap}metadata.json"
    assert found.pictures == {3: f"{wrap}{folder}frame_000003.png"}
    assert found.unused == ()


def test_annotations_beside_the_pictures_folder(tmp_path):
    found = layout_of(tmp_path, ["x/data/annotations.json", "x/images/3.png"])
    assert found.pictures == {3: "x/images/3.png"}
    assert found.metadata is None


def test_pictures_of_no_frame_are_told(tmp_path):
    found = layout_of(tmp_path, ["annotations.json", "images/preview.png", "masks/000001.png", "images/1.png"])
    assert found.pictures == {1: "images/1.png"}
    assert found.unused == ("images/preview.png", "masks/000001.png")


def test_the_metadata_beside_the_annotations_counts(tmp_path):
    found = layout_of(tmp_path, ["x/annotations.json", "x/metadata.json", "other/metadata.json"])
    assert found.metadata == "x/metadata.json"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ([], r"holds no annotations \(expected annotations.json; found no files"),
        (["a.txt", "b.txt", "c.txt", "d.txt"], r"found a.txt, b.txt, c.txt and 1 more"),
        (["a/annotations.json", "b/annotations.json"], r"more than one annotations.json"),
        (["annotations.json", "a/metadata.json", "b/metadata.json"], r"more than one metadata.json"),
        (["annotations.json", "images/1.png", "images/0001.jpg"], r"two pictures of frame 1"),
        (["annotations.json", "images/1.png", "frames/1.png"], r"found frames/1.png and images/1.png"),
    ],
)
def test_what_is_no_single_export_is_refused(tmp_path, names, what):
    with pytest.raises(DataError, match=what):
        layout_of(tmp_path, names)
