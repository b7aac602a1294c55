"""Both sides of an upload."""

import fcntl
import hashlib
import io
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.cluster.upload import accept, is_there, wait_for
from sam2vlm.errors import DataError, InterruptedRunError

EXPORT = b"PK\x03\x04" + bytes(range(256)) * 9000
DIGEST = hashlib.sha256(EXPORT).hexdigest()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "exports" / DIGEST[:16] / "reef.zip"


def test_what_is_streamed_is_there_whole(target):
    assert accept(io.BytesIO(EXPORT), target, DIGEST) == len(EXPORT)
    assert target.read_bytes() == EXPORT
    assert is_there(target, DIGEST)


def test_the_second_time_nothing_is_written(target):
    accept(io.BytesIO(EXPORT), target, DIGEST)
    before = target.stat().st_mtime_ns
    assert accept(io.BytesIO(b"never read"), target, DIGEST) == 0
    assert target.stat().st_mtime_ns == before


@settings(max_examples=20, deadline=None)  # each writes and syncs a file, on a disk that others use too
@given(cut=st.integers(0, len(EXPORT) - 1))
def test_a_cut_stream_leaves_nothing(cut, tmp_path_factory):
    target = tmp_path_factory.mktemp("volume") / "reef.zip"
    with pytest.raises(DataError, match=r"reef\.zip: arrived damaged or cut"):
        accept(io.BytesIO(EXPORT[:cut]), target, DIGEST)
    assert [path.name for path in target.parent.iterdir()] == [".reef.zip.lock"]


def test_two_at_once(target):
    target.parent.mkdir(parents=True)
    with target.with_name(".reef.zip.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InterruptedRunError, match="another upload of it is on its way"):
            accept(io.BytesIO(EXPORT), target, DIGEST)


def test_it_waits_until_the_export_is_there(target):
    waiting = threading.Thread(target=wait_for, args=(target, DIGEST), kwargs={"timeout_s": 30.0})
    waiting.start()
    accept(io.BytesIO(EXPORT), target, DIGEST)
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_it_does_not_wait_for_ever(target):
    times = iter(range(100))
    with pytest.raises(InterruptedRunError, match=r"was not uploaded in time.*expected within 5 s"):
        wait_for(target, DIGEST, timeout_s=5, now=lambda: float(next(times)), sleep=lambda _: None)


def test_another_file_at_its_place(target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"other")
    with pytest.raises(DataError, match="is another file"):
        wait_for(target, DIGEST, timeout_s=5)


def test_the_processes_of_the_pod(target):
    """The very commands of the chart and of `make train`, in two processes."""
    arguments = [f"--target={target}", f"--sha256={DIGEST}"]
    start = [sys.executable, "-m", "jobs.receive"]
    with subprocess.Popen([*start, "wait", *arguments, "--timeout=60"], stdout=subprocess.PIPE, text=True) as waiting:
        sent = subprocess.run([*start, "accept", *arguments], input=EXPORT, capture_output=True, check=False)
        said, _ = waiting.communicate(timeout=60)
    assert (sent.returncode, waiting.returncode) == (0, 0), (sent.stdout, sent.stderr)
    assert f'"written_bytes": {len(EXPORT)}' in sent.stdout.decode()
    assert '"event": "the export is there"' in said


def test_a_damaged_stream_ends_the_process_with_65(target):
    command = [sys.executable, "-m", "jobs.receive", "accept", f"--target={target}", f"--sha256={DIGEST}"]
    sent = subprocess.run(command, input=b"other", capture_output=True, check=False)
    assert sent.returncode == 65
    assert "arrived damaged or cut" in sent.stdout.decode()
    assert not sent.stderr


def test_the_waiting_side_lingers_only_where_it_waited(target):
    """Its end kills whoever writes from beside it."""
    pauses = []

    def arrive(seconds):
        pauses.append(seconds)
        accept(io.BytesIO(EXPORT), target, DIGEST)

    wait_for(target, DIGEST, timeout_s=5, sleep=arrive)
    assert pauses == [0.5, 1.5]
    wait_for(target, DIGEST, timeout_s=5, sleep=pauses.append)
    assert pauses == [0.5, 1.5]
