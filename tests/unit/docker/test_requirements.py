"""What the images' dependency layers are made of."""

import importlib.util
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("image_requirements", CHECKOUT / "docker" / "requirements.py")
MODULE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)

PYPROJECT = """
[build-system]
requires = ["hatchling>=1"]
[project]
dependencies = ["numpy>=2", "attrs"]
[project.optional-dependencies]
train = ["torch>=2", "numpy>=2"]
cluster = ["kubernetes"]
"""


@pytest.mark.parametrize(
    ("extras", "lines"),
    [
        ([], ["attrs", "numpy>=2"]),
        (["train", "cluster"], ["attrs", "kubernetes", "numpy>=2", "torch>=2"]),
        (["build"], ["hatchling>=1"]),
    ],
)
def test_requirements_of_extras(extras, lines, tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    assert MODULE.requirements(tmp_path / "pyproject.toml", extras) == lines


def test_an_unknown_extra(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    with pytest.raises(KeyError, match="serve"):
        MODULE.requirements(tmp_path / "pyproject.toml", ["serve"])


def test_every_direct_requirement_of_the_images_is_pinned():
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in _lines(CHECKOUT / "constraints.txt")}
    wanted = MODULE.requirements(CHECKOUT / "pyproject.toml", ["train", "cluster", "mlflow", "wandb"])
    names = {re.match(r"[A-Za-z0-9._-]+", line)[0].lower().replace("_", "-") for line in wanted}
    assert names <= pinned


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_dockerfiles_hold_to_the_rules(name):
    text = (CHECKOUT / "docker" / f"{name}.Dockerfile").read_text()
    stages = text.split("\nFROM ")
    assert text.count("ARG BASE_IMAGE") == 1
    assert "USER 10001:10001" in text
    assert "constraints.txt" in text
    # The last layer that is written is the code.
    runtime = stages[-1] if name == "gpu" else next(part for part in stages if part.startswith("base AS runtime"))
    written = [line for line in runtime.splitlines() if line.startswith(("COPY", "RUN"))]
    assert written[-1] == "COPY --from=code /app /app"
    # No compiler, no package of the base's distribution, no registry's host.
    assert not re.search(r"apt-get|gcc|g\+\+|nvcc|https?://|docker\.io", text)


def _lines(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
