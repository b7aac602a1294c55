"""One sentence: file, field, what was wrong, what was expected, what came."""

import errno

import pytest

from sam2vlm.errors import DataError, InterruptedRunError, Sam2vlmError, SettingsError, from_os_error


def test_the_sentence_names_file_field_expected_and_found():
    error = DataError(
        "wrong type", source="export.zip", field="annotations[3].objects", expected="a list", found={"a": 1}
    )
    assert str(error) == "export.zip: annotations[3].objects: wrong type (expected a list; found {'a': 1})"


def test_what_was_found_is_one_short_line():
    assert len(DataError("too long", found="x" * 500).found) == 120
    assert DataError("lines", found="a\n  b").found == "a b"


@pytest.mark.parametrize(
    ("kind", "code"), [(DataError, 65), (SettingsError, 78), (InterruptedRunError, 75), (Sam2vlmError, 1)]
)
def test_exit_codes(kind, code):
    assert kind("x").exit_code == code


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, InterruptedRunError, "no space left while writing"),
        (errno.EDQUOT, InterruptedRunError, "no space left while writing"),
        (errno.EROFS, SettingsError, "no permission while writing"),
        (errno.EACCES, SettingsError, "no permission while writing"),
        (errno.ENOTDIR, DataError, "cannot be used while writing"),
        (errno.EIO, InterruptedRunError, "input/output error while writing"),
    ],
)
def test_a_failing_volume_gets_the_code_that_fits(number, kind, words):
    import os

    error = from_os_error(OSError(number, os.strerror(number), "volume/file"), doing="writing")
    assert type(error) is kind
    assert words in str(error)
    assert str(error).startswith("volume/file: ")


def test_somebody_who_knows_more_names_the_place():
    error = DataError("is broken", field="runs", expected=3, found=4)
    told = error.with_source("export.zip")
    assert isinstance(told, DataError)
    assert str(told) == "export.zip: runs: is broken (expected 3; found 4)"
    assert str(error.with_source("export.zip", field="objects[0]")) == (
        "export.zip: objects[0]: is broken (expected 3; found 4)"
    )
