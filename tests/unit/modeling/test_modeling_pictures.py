"""Pictures that are not what their rows say."""

from __future__ import annotations

import pytest

from sam2vlm.errors import DataError
from sam2vlm.modeling.pictures import read_picture
from tests.training_runs import split


def test_a_picture_comes_as_rgb_in_its_own_size():
    picture = read_picture(split(1), 0, sample_id="video/000000", width=96, height=64)
    assert (picture.mode, picture.size) == ("RGB", (96, 64))


def test_another_size_is_an_error():
    with pytest.raises(DataError, match=r"video/000000.*expected \(96, 65\); found \(96, 64\)"):
        read_picture(split(1), 0, sample_id="video/000000", width=96, height=65)


def test_what_is_no_picture_is_an_error():
    rows = split(1)
    broken = rows.map(lambda _: {"image": {"bytes": b"no picture", "path": None}}, features=rows.features)
    with pytest.raises(DataError, match="its picture cannot be read"):
        read_picture(broken, 0, sample_id="video/000000", width=96, height=64)
