"""What people name: one export, a folder of them, a list, a pattern."""

import os
import re

import pytest

from sam2vlm.data_converter.export_places import find_exports, short_names
from sam2vlm.errors import DataError


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")


def found(place, folder):
    return [path.relative_to(folder).as_posix() for path in find_exports(place)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["annotations.json", "images/frame_000000.png"], ["."]),
        (["Annotations.JSON"], ["."]),
        (["session/annotations.json", "session/images/0.png"], ["."]),
        (["a/b/c/annotations.json"], ["."]),
        (["a.zip", "b.ZIP", "notes.txt", ".hidden.zip"], ["a.zip", "b.ZIP"]),
        (["one/annotations.json", "two/annotations.json"], ["one", "two"]),
        (["a.zip", "one/wrapped/annotations.json", "empty/readme.txt"], ["a.zip", "one"]),
        # Whatever else a folder holds is for the reader to make out: SA-V's files are one export of many videos.
        (["sav_1_manual.json", "sav_1_auto.json", "sav_2_manual.json"], ["."]),
        (["Annotations/bear/00000.png", "JPEGImages/bear/00000.jpg"], ["."]),
        ([], ["."]),
    ],
)
def test_a_folder_is_one_export_or_holds_several(files, expected, tmp_path):
    make(tmp_path, *files)
    assert found(str(tmp_path), tmp_path) == expected


def test_lists_and_patterns(tmp_path):
    make(tmp_path, "a.zip", "b.zip", "more/c.zip", "more/d.zip", "odd:name.zip")
    a, b, more = (str(tmp_path / name) for name in ("a.zip", "b.zip", "more"))
    assert found([a, more], tmp_path) == ["a.zip", "more/c.zip", "more/d.zip"]
    assert found(os.pathsep.join([b, a]), tmp_path) == ["b.zip", "a.zip"]
    assert found(f"{tmp_path}/[ab].zip", tmp_path) == ["a.zip", "b.zip"]
    assert found(f"{tmp_path}/**/*.zip", tmp_path) == ["a.zip", "b.zip", "more/c.zip", "more/d.zip", "odd:name.zip"]
    # A path that exists is meant as it is.
    assert found(str(tmp_path / "odd:name.zip"), tmp_path) == ["odd:name.zip"]
    assert found(str(tmp_path / "missing.zip"), tmp_path) == ["missing.zip"]


def test_nothing_is_no_place():
    assert find_exports(os.pathsep) == find_exports([""]) == ()


def test_a_pattern_without_a_match(tmp_path):
    with pytest.raises(
        DataError, match=re.escape("*.zip: matches no export (expected a pattern of archives or folders")
    ):
        find_exports(f"{tmp_path}/*.zip")


def test_names_are_as_short_as_they_can_be(tmp_path):
    paths = [tmp_path / name for name in ("a/export.zip", "b/export.zip", "b/other.zip", "b/other.zip")]
    assert short_names(paths) == ["a/export.zip", "b/export.zip", "other.zip", "other.zip (2)"]
    assert short_names(paths[:1]) == ["export.zip"]
