"""Writes are there whole or not at all, whenever the process dies."""

import json
import signal
import subprocess
import sys
import time

import pytest

from sam2vlm.artifacts import canonical_json, open_atomic, publish_folder, write_json, write_text

WRITER = """
import sys
from pathlib import Path
from sam2vlm.artifacts import write_text
path = Path(sys.argv[1])
print("ready", flush=True)
for number in range(1_000_000):
    write_text(path, str(number % 10) * 200_000)
"""


def test_a_write_replaces_the_file_and_leaves_no_temporary(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    write_text(target, "one")
    write_text(target, "two")
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_a_failing_write_leaves_the_old_file_and_no_temporary(tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")

    def fail_half_way():
        with open_atomic(target) as stream:
            stream.write(b"half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("delay_ms", [3, 17, 41, 83])
def test_a_killed_writer_never_leaves_a_torn_file(tmp_path, delay_ms):
    target = tmp_path / "file.txt"
    write_text(target, "0" * 200_000)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay_ms / 1000)
        process.send_signal(signal.SIGKILL)
    text = target.read_text()
    assert len(text) == 200_000
    assert len(set(text)) == 1


def test_canonical_json_does_not_depend_on_key_order_and_refuses_nan():
    assert canonical_json({"b": 1, "a": "ä"}) == canonical_json({"a": "ä", "b": 1})
    assert "ä" in canonical_json({"a": "ä"})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"a": float("nan")})


def test_publishing_replaces_an_older_folder_whole(tmp_path):
    final, staged = tmp_path / "final", tmp_path / "staged"
    for folder, name in ((final, "old"), (staged, "new")):
        folder.mkdir()
        write_json(folder / f"{name}.json", {"name": name})
    publish_folder(staged, final)
    assert [path.name for path in final.iterdir()] == ["new.json"]
    assert json.loads((final / "new.json").read_text()) == {"name": "new"}
    assert list(tmp_path.iterdir()) == [final]
