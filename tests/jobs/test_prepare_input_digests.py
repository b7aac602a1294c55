"""The inputs' digests are made in another process, and waited for by who looks at them."""

import os
import signal
import sys

import pytest

from jobs.prepare import input_digests
from jobs.prepare.input_digests import digests_beside
from sam2vlm.errors import DataError, InterruptedRunError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(input_digests, "cores", lambda: 2)


def refused():
    raise DataError("cannot be read", source="export.zip")


@linux_only
def test_they_come_from_another_process_and_once():
    with digests_beside(lambda: {"export": str(os.getpid())}) as found:
        first = dict(found)
        assert first != {"export": str(os.getpid())}
        assert (dict(found), len(found), list(found)) == (first, 1, ["export"])


def test_with_one_core_they_are_made_here(monkeypatch):
    monkeypatch.setattr(input_digests, "cores", lambda: 1)
    with digests_beside(lambda: {"export": str(os.getpid())}) as found:
        assert dict(found) == {"export": str(os.getpid())}


@linux_only
def test_an_error_is_raised_to_who_looks():
    with digests_beside(refused):
        pass
    with pytest.raises(DataError, match=r"export\.zip: cannot be read"), digests_beside(refused) as found:
        dict(found)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@linux_only
def test_a_killed_process_is_told():
    with pytest.raises(InterruptedRunError, match="ended before its work did"), digests_beside(killed) as found:
        dict(found)


@linux_only
def test_an_export_that_goes_while_it_is_hashed_ends_the_phase(export, tmp_path, prepare_here, monkeypatch):
    def gone(_sources):
        raise FileNotFoundError(2, "No such file or directory", "export.zip")

    monkeypatch.setattr("jobs.prepare.reading.Sources.digests", gone)
    ended = prepare_here(RUN=tmp_path / "run", EXPORT=export)
    assert ended.code != 0
    assert "export.zip" in ended.failures[0]["error"]
    assert not (tmp_path / "run" / "prepare").exists()
