"""Forked processes: results in order, errors whole, and nobody left behind when one of the two sides dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sam2vlm import workers
from sam2vlm.errors import DataError, InterruptedRunError
from sam2vlm.workers import beside, spread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.mark.parametrize("count", [0, 1, 31, 33, 100])
def test_results_come_in_order_from_several_processes(count: int) -> None:
    found = list(spread(lambda item: (item, os.getpid()), range(count), workers=3))
    assert [item for item, _process in found] == list(range(count))
    if count > 4 * workers._CHUNK:
        assert len({process for _item, process in found} - {os.getpid()}) == 3


def test_an_error_comes_whole_and_behind_the_results_before_it() -> None:
    def halves(item: int) -> int:
        if item == 50:
            raise DataError("is odd", source="export.zip", field="a[1]", expected="even", found=item)
        return item // 2

    with pytest.raises(DataError) as raised:
        list(spread(halves, range(100), workers=2))
    error = raised.value
    assert (error.message, error.source, error.field, error.expected, error.found) == (
        "is odd", "export.zip", "a[1]", "even", "50",
    )  # fmt: skip
    assert str(error) == "export.zip: a[1]: is odd (expected even; found 50)"
    assert "in halves" in "".join(error.__notes__)


def test_a_killed_worker_is_told_and_not_waited_for() -> None:
    def work(item: int) -> int:
        if item == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(InterruptedRunError, match="signal 9"):
        list(spread(work, range(100), workers=2))


def test_work_beside_returns_its_result_and_its_error() -> None:
    with beside(os.getpid) as other:
        assert other.result() not in (os.getpid(), 0)

    def fail() -> None:
        raise DataError("no")

    def check_again_and_again(other: workers.Beside[None]) -> None:
        for _ in range(1000):
            other.check()
            time.sleep(0.01)

    with beside(fail) as failing, pytest.raises(DataError, match="no"):
        check_again_and_again(failing)


def test_leaving_the_block_ends_the_work(tmp_path: Path) -> None:
    def forever() -> None:
        (tmp_path / "process").write_text(str(os.getpid()))
        time.sleep(600)

    with beside(forever):
        process = _number_in(tmp_path / "process")
    assert not Path(f"/proc/{process}").exists()


def test_a_process_that_is_ended_as_it_begins_does_not_work_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has its parent's handler for a moment, whose exception the interpreter swallows while it forks."""

    class Stopped(BaseException):
        pass

    def stop(*_signal: object) -> None:
        raise Stopped

    serve = workers._serve

    def told_to_stop(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with contextlib.suppress(Stopped):
            time.sleep(0.01)
        serve(*arguments)

    monkeypatch.setattr(workers, "_serve", told_to_stop)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with beside(lambda: "worked on") as other, pytest.raises(InterruptedRunError, match="signal 15"):
            other.result()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert capfd.readouterr().err == ""


def test_a_worker_that_is_killed_in_the_middle_of_a_message_is_told_like_any_other(tmp_path: Path) -> None:
    def large() -> bytes:
        (tmp_path / "process").write_text(str(os.getpid()))
        return bytes(10_000_000)

    with beside(large) as other:
        process = _number_in(tmp_path / "process")
        while not other._process._here.poll():
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(InterruptedRunError, match=r"ended before its work did.*found signal 9"):
            other.result()


class OddError(Exception):
    """As some libraries' are: it cannot be made again from what it says."""

    def __init__(self, code: int, place: str) -> None:
        super().__init__(f"{code} at {place}")


def test_an_error_that_cannot_be_sent_is_told_with_its_name_and_traceback() -> None:
    class LocalError(Exception):
        pass

    for error, told in ((OddError(7, "here"), "OddError: 7 at here"), (LocalError("gone"), "LocalError: gone")):

        def fail(error: Exception = error) -> None:
            raise error

        with beside(fail) as other, pytest.raises(RuntimeError, match=told) as raised:
            other.result()
        assert "in fail" in "".join(raised.value.__notes__)


def test_a_killed_parent_takes_its_workers_along(tmp_path: Path) -> None:
    """A worker that lived on would hold the phase's lock."""
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom sam2vlm.workers import beside\n"
        "def work():\n Path(sys.argv[1]).write_text(str(os.getpid()))\n time.sleep(600)\n"
        "with beside(work) as other:\n other.result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "process")]) as parent:
        worker = _number_in(tmp_path / "process")
        parent.kill()
    assert _gone(worker)


def test_the_work_is_done_in_place_where_forking_is_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "can_fork", lambda: False)
    assert set(spread(lambda _item: os.getpid(), range(100), workers=4)) == {os.getpid()}


def _number_in(path: Path) -> int:
    for _ in range(3000):
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("the work did not begin")


def _gone(process: int) -> bool:
    for _ in range(1000):
        try:
            # A zombie is dead; whoever adopted it has only not looked yet.
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False
