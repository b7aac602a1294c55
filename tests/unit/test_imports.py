from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import sys

import pytest

from sam2vlm.imports import not_found, uncollected


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A package of one file that nobody has loaded."""
    (tmp_path / "brought_along.py").write_text("HERE = True")
    monkeypatch.syspath_prepend(tmp_path)
    yield "brought_along"
    sys.modules.pop("brought_along", None)


def test_a_library_is_as_if_not_installed_in_the_block_and_there_behind_it(library):
    with not_found(library):
        assert importlib.util.find_spec(library) is None
        with pytest.raises(ImportError):
            importlib.import_module(library)
    assert importlib.import_module(library).HERE


def test_it_is_there_again_however_the_block_is_left(library):
    with pytest.raises(KeyError), not_found(library):
        raise KeyError
    assert importlib.import_module(library).HERE


def test_what_is_loaded_already_stays():
    with not_found("json"):
        assert importlib.import_module("json") is json


def test_no_garbage_is_looked_for_in_what_was_loaded_in_the_block():
    before = gc.get_freeze_count()
    try:
        with uncollected():
            assert not gc.isenabled()
            loaded = [[number] for number in range(10_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(loaded)
    finally:
        gc.unfreeze()
