"""`make tools`, without the network."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "helm_and_kubectl.py"
SPEC = importlib.util.spec_from_file_location("helm_and_kubectl", SCRIPT)
MODULE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)


def layer(**programs):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, program in programs.items():
            archive.writestr(f"{name}/{name}", program)
    return zipfile.ZipFile(data)


def program(path, said):
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)
    return path


def test_a_program_of_another_digest_is_not_placed(tmp_path):
    with pytest.raises(ValueError, match=r"helm from .*: expected SHA-256 [0-9a-f]{64}; found [0-9a-f]{64}"):
        MODULE._place(layer(helm=b"other"), "helm", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """A folder that is first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said", "version", "enough"),
    [
        ("helm", "v4.3.1", (4, 3), True),
        ("helm", "v3.14.0", (3, 14), True),
        ("helm", "v3.9.4", (3, 9), False),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}}', (1, 32), True),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.30.1"}}', (1, 30), False),
        ("kubectl", "Segmentation fault", None, False),
    ],
)
def test_versions(name, said, version, enough, on_path):
    found = program(on_path / name, said)
    assert MODULE._version(str(found), name) == version
    assert MODULE._good_enough(name, on_path / "nowhere") is enough


def test_where_both_are_there_nothing_is_fetched(tmp_path):
    program(tmp_path / "helm", "v4.3.1")
    program(tmp_path / "kubectl", '"gitVersion": "v1.37.1"')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
    done = subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "helm 4.3" in done.stdout
