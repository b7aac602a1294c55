"""A real cluster: the one that KUBECONFIG names, else one of this machine, brought up for the tests.

TEST_IMAGE_PREFIX names images that the given cluster's nodes can have (up to ``-cpu:test``); without it the image is
built and loaded, which needs the cluster of this machine.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LOCAL = CHECKOUT.parent / "shared" / "kube"
BASE = "localhost/debian-python:local"
TAG = "test"


@dataclass(frozen=True)
class Cluster:
    """A cluster and how to speak to it."""

    kubeconfig: str
    prefix: str
    control: Path | None = None
    started_here: bool = False

    @property
    def environment(self) -> dict[str, str]:
        settings = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
        return {
            **settings,
            "KUBECONFIG": self.kubeconfig,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(self, *command: str, check: bool = True, timeout: float = 900, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            **options,
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def get(self, kinds: str, namespace: str, *options: str) -> list[dict]:
        done = self.run("kubectl", "--namespace", namespace, "get", kinds, *options, "--output", "json")
        return json.loads(done.stdout)["items"]

    def sam2vlm(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-c", "from sam2vlm.cli import main; main()", "cluster", *arguments, **options)

    def train(self, namespace: str, experiment: str, export: Path, *arguments: str, **options):
        image = ("--set", f"images.cpu.repository={self.prefix}-cpu", "--set", f"images.cpu.tag={TAG}")
        where = ("--experiment", experiment, "--namespace", namespace)
        return self.sam2vlm("train", *where, "--export", str(export), *image, *arguments, **options)


@pytest.fixture(scope="session")
def code(tmp_path_factory) -> Path:
    """A copy of what an image is made of: image and local run are then of one code, whatever is edited meanwhile."""
    folder = tmp_path_factory.mktemp("code")
    for name in ("lib", "jobs", "docker"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dockerignore", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy2(CHECKOUT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def cluster(code):
    """The cluster with the image on it; one that was up stays as it was."""
    given = os.environ.get("KUBECONFIG")
    prefix = os.environ.get("TEST_IMAGE_PREFIX")
    if given and prefix:
        yield Cluster(given, prefix)
        return
    if not (LOCAL / "cluster").is_file():
        reason = "TEST_IMAGE_PREFIX does not name its images" if given else "no KUBECONFIG"
        pytest.skip(f"{reason}, and no cluster can be started on this machine")
    if os.geteuid() != 0:
        pytest.skip("starting a cluster on this machine needs root")
    control = LOCAL / "cluster"
    ready = subprocess.run([control, "status"], capture_output=True, text=True, check=False).stdout
    was_up = "API server ready         True" in ready and "node ready               True" in ready
    if not was_up:
        subprocess.run([control, "up", "--gpus", "2"], check=True, stdout=subprocess.DEVNULL)
    try:
        own = subprocess.run([control, "kubeconfig"], check=True, capture_output=True, text=True).stdout.strip()
        if given and Path(given).resolve() != Path(own).resolve():
            pytest.skip("TEST_IMAGE_PREFIX does not name the images of the cluster that KUBECONFIG names")
        _bring_image(control, code)
        yield Cluster(own, "localhost/sam2vlm", control, started_here=not was_up)
    finally:
        if not was_up:
            subprocess.run([control, "down"], check=True, stdout=subprocess.DEVNULL)


def _bring_image(control: Path, code: Path) -> None:
    """Build the CPU image and load it; after a change of the code alone that is the last layer."""
    known = ["buildah", "inspect", "--type", "image", BASE]
    if shutil.which("buildah") is None or subprocess.run(known, capture_output=True, check=False).returncode != 0:
        subprocess.run([LOCAL / "image", "base", BASE], check=True)
    name = f"localhost/sam2vlm-cpu:{TAG}"
    options = ("--build-arg", f"BASE_IMAGE={BASE}", "--tag", name, "--file", "docker/cpu.Dockerfile", ".")
    subprocess.run([LOCAL / "image", "build", *options], cwd=code, check=True)
    subprocess.run([control, "load", name], check=True)


def make_namespace(cluster: Cluster) -> str:
    """Make a namespace that admits restricted pods only."""
    name = f"sam2vlm-{uuid.uuid4().hex[:8]}"
    cluster.run("kubectl", "create", "namespace", name)
    cluster.run("kubectl", "label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    return name


def remove_namespace(cluster: Cluster, name: str) -> None:
    """Remove a namespace with everything in it."""
    cluster.run("kubectl", "delete", "namespace", name, "--wait", "--timeout=180s")


@pytest.fixture
def namespace(cluster):
    """A namespace of the test's own."""
    name = make_namespace(cluster)
    yield name
    remove_namespace(cluster, name)


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """The sample export, small."""
    path = tmp_path_factory.mktemp("sample") / "sample.zip"
    command = ["from sam2vlm.cli import main; main()", "sample", "--frames", "150", "--objects", "4"]
    subprocess.run([sys.executable, "-c", *command, "--size", "160x90", "--seed", "3", str(path)], check=True)
    return path
