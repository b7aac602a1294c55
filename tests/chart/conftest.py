"""The chart as `helm template` renders it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "sam2vlm"
EVERYTHING = CHART / "ci" / "everything-values.yaml"
UPLOAD = {"export": {"upload": {"enabled": True, "sha256": "ab" * 32}}}
ON_VOLUME = {"export": {"path": "exports/reef.zip"}, "volume": {"existingClaim": "shared"}}


def helm() -> str:
    beside = Path(sys.executable).parent / "helm"
    found = str(beside) if beside.is_file() else shutil.which("helm")
    if found is None:
        pytest.skip("helm is not installed; `make tools` fetches it")
    return found


class Rendered:
    """The objects of one rendering, by kind and name."""

    def __init__(self, text: str):
        self.objects = [thing for thing in yaml.safe_load_all(text) if thing]

    def __call__(self, kind: str, name: str) -> dict:
        (found,) = (o for o in self.objects if o["kind"] == kind and o["metadata"]["name"] == name)
        return found

    def names(self, kind: str) -> set[str]:
        return {o["metadata"]["name"] for o in self.objects if o["kind"] == kind}


def _run(*arguments: str, values: dict | None = None) -> subprocess.CompletedProcess:
    given = ["--values", "-"] if values is not None else []
    return subprocess.run(
        [helm(), *arguments, *given], input=json.dumps(values or {}), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def render():
    """render(values, release=, files=) -> Rendered"""

    def run(values: dict | None = None, *, release: str = "reef", arguments: tuple[str, ...] = ()) -> Rendered:
        done = _run("template", release, str(CHART), "--namespace", "lab", *arguments, values=values)
        assert done.returncode == 0, done.stderr
        return Rendered(done.stdout)

    return run


@pytest.fixture(scope="session")
def refusal():
    """refusal(values) -> what helm says against them"""

    def run(values: dict, *arguments: str, release: str = "reef") -> str:
        done = _run("template", release, str(CHART), *arguments, values=values)
        assert done.returncode != 0, "these values were taken"
        return done.stderr

    return run


@pytest.fixture(scope="session")
def lint():
    """lint(arguments) -> the finished `helm lint --strict`"""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return _run("lint", "--strict", str(CHART), *arguments)

    return run


@pytest.fixture(scope="session")
def defaults(render):
    """The chart with an upload and no other value."""
    return render(UPLOAD)


@pytest.fixture(scope="session")
def everything(render):
    """The chart with the values file that has everything on."""
    return render({}, arguments=("--values", str(EVERYTHING)))
