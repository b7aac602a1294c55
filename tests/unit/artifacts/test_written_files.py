"""What is known of a file from writing it is what reading it says, and no file stays open."""

import io
import pickle
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam2vlm.artifacts import (
    EarlyWriteback,
    StreamedFile,
    WrittenFiles,
    early_writeback,
    records_of,
    write_hashed,
    written_files,
)


def said(path):
    """Return what sha256sum says of a file."""
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


def open_files(folder):
    """Return how many descriptors of this process are of files below a folder."""
    found = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(path.is_relative_to(folder) for path in found)


@pytest.fixture
def little(monkeypatch):
    """Parts and lags of a few bytes, so that small files have many of them."""
    monkeypatch.setattr(written_files, "_PART_BYTES", 7)
    monkeypatch.setattr(early_writeback, "_LAG_BYTES", 20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(pieces=st.lists(st.binary(max_size=30), max_size=20), buffer=st.sampled_from([0, 4, 1000]))
def test_a_streamed_file_is_its_pieces_and_knows_their_digest(little, tmp_path, pieces, buffer):
    path = tmp_path / "file"
    stream = StreamedFile(path)
    with io.BufferedWriter(stream, buffer) if buffer else stream as writing:
        for piece in pieces:
            assert writing.write(memoryview(piece)) == len(piece)
    assert path.read_bytes() == b"".join(pieces)
    assert stream.sha256.hex() == said(path)
    assert stream.size == path.stat().st_size
    assert not open_files(tmp_path)


def test_files_that_are_written_at_once_are_known_and_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(early_writeback, "_LAG_PARTS", 3)
    files = WrittenFiles()
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    with closing(EarlyWriteback()) as writeback:
        for number, path in enumerate(paths):
            content = bytes([number]) * 5000 * number
            files.add(path, write_hashed(path, content, writeback), len(content))
            assert open_files(tmp_path) <= 3
        # Nobody who reads them has to wait until they are closed.
        assert [path.stat().st_size for path in paths] == [5000 * number for number in range(8)]
    assert not open_files(tmp_path)
    assert [files.get(path) for path in paths] == [(said(path), path.stat().st_size) for path in paths]
    files.discard(paths[0])
    assert files.get(paths[0]) is files.get(tmp_path / "other") is None


@pytest.mark.parametrize("advise", [None, lambda *_: (_ for _ in ()).throw(OSError(22, "Invalid argument"))])
def test_a_system_that_takes_no_advice_gets_the_same_files(tmp_path, monkeypatch, advise):
    if advise is None:
        monkeypatch.delattr("os.posix_fadvise")
    else:
        monkeypatch.setattr("os.posix_fadvise", advise)
    with closing(EarlyWriteback()) as writeback:
        write_hashed(tmp_path / "file", b"content", writeback)
    assert (tmp_path / "file").read_bytes() == b"content"
    assert not open_files(tmp_path)


def test_a_file_that_cannot_be_written_is_closed():
    full = Path("/dev/full")
    with closing(EarlyWriteback()) as writeback, pytest.raises(OSError, match="No space left"):
        write_hashed(full, b"content", writeback)
    assert not open_files(full)
    stream = StreamedFile(full)
    with pytest.raises(OSError, match="No space left"):
        stream.write(b"content")
    stream.close()
    assert stream.size == 0


def test_what_another_process_wrote_is_known_here(tmp_path):
    here, there = WrittenFiles(), WrittenFiles()
    here.add(tmp_path / "one", bytes(32), 1)
    there.add(tmp_path / "two", bytes(range(32)), 2**40)
    here.update(pickle.loads(pickle.dumps(there)))
    assert here.get(tmp_path / "one") == ("00" * 32, 1)
    assert here.get(tmp_path / "two") == (bytes(range(32)).hex(), 2**40)


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "discard", "get"]), st.integers(0, 400), st.binary(min_size=32, max_size=32)),
        max_size=60,
    )
)
def test_names_are_found_as_in_a_dictionary(steps):
    # A thousand names more, so that some digests end with a zero, which NumPy's texts leave out.
    files, expected = WrittenFiles(), {f"other/{number}": (bytes(32).hex(), number) for number in range(1000)}
    for name, (_digest, size) in expected.items():
        files.add(name, bytes(32), size)
    for size, (what, name, digest) in enumerate(steps):
        if what == "add":
            files.add(f"folder/{name}", digest, size)
            expected[f"folder/{name}"] = digest.hex(), size
        elif what == "discard":
            files.discard(f"folder/{name}")
            expected.pop(f"folder/{name}", None)
        assert files.get(f"folder/{name}") == expected.get(f"folder/{name}")
    assert all(files.get(name) == known for name, known in expected.items())


def test_records_take_what_is_known_and_read_the_rest(tmp_path):
    for name in ("known", "other"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / "sub" / name).write_text(name)
    files = WrittenFiles()
    # Another digest than the file's, by which one sees that the file is not read.
    files.add(tmp_path / "sub" / "known", bytes(32), 5)
    files.add(tmp_path / "sub" / "gone", bytes(32), 5)
    records = records_of(tmp_path, written=files)
    assert {name: (record.sha256, record.size) for name, record in records.items()} == {
        "sub/known": ("00" * 32, 5),
        "sub/other": (said(tmp_path / "sub" / "other"), 5),
    }
