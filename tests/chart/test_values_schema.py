"""The closed schema, the checks that a schema cannot make, and the lint."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.chart.conftest import CHART, EVERYTHING, ON_VOLUME, UPLOAD

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Kubernetes' own objects and maps of people's own names; the API server or a pattern judges those.
OPEN = {"global", "affinity", "items"}


def with_value(path: str, value) -> dict:
    values = json.loads(json.dumps(ON_VOLUME))
    *parents, last = path.split(".")
    place = values
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return values


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_object_of_the_schema_is_closed():
    open_places = []

    def walk(node, path):
        if not isinstance(node, dict):
            return
        if node.get("type") == "object" and "additionalProperties" not in node and not OPEN & set(path):
            open_places.append(".".join(path))
        for key, value in node.items():
            if key in ("properties", "$defs"):
                for name, child in value.items():
                    walk(child, [*path, name])
            elif key in ("items", "additionalProperties"):
                walk(value, [*path, key])
            elif key in ("allOf", "anyOf"):
                for child in value:
                    walk(child, path)

    walk(SCHEMA, [])
    assert open_places == []


def test_every_value_of_the_values_file_is_in_the_schema_and_the_other_way_round():
    def compare(values, schema, path):
        while "$ref" in schema:
            schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        if "allOf" in schema:
            return compare(values, schema["allOf"][0], path)
        if isinstance(schema.get("properties"), dict):
            assert set(values or {}) == set(schema["properties"]) - {"global"}, path
            for name, value in values.items():
                compare(value, schema["properties"][name], f"{path}.{name}")
        return None

    compare(VALUES, SCHEMA, "values")


def test_every_value_is_documented_where_it_stands():
    lines = (CHART / "values.yaml").read_text().splitlines()
    first_blocks = "\n".join(lines).partition("\n  train:\n")[0].splitlines() + (
        "\n".join(lines).partition("\nttlSecondsAfterFinished")[2].splitlines()
    )
    undocumented, commented = [], False
    for line in first_blocks:
        stripped = line.strip()
        if stripped.startswith("#"):
            commented = True
        elif not stripped:
            commented = False
        elif stripped.endswith((":", ": {}", ": []")) or ":" in stripped:
            is_group = stripped.endswith(":")
            # A line right after a documented one may share its sentence ("Added to pod.labels and so on").
            if not commented and not is_group and not stripped.startswith(("requests:", "limits:")):
                undocumented.append(stripped)
            commented = commented and not is_group
    assert undocumented == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image", {"tag": "1"}),
        ("images.cpu.tags", "1"),
        ("phases.verify", {}),
        ("phases.train.gpus", 1),
        ("phases.train.gpu.count", -1),
        ("phases.train.nodes", 0),
        ("phases.prepare.gpu.count", 1),
        ("phases.train.resources.limit", {}),
        ("phases.train.resources.limits.memory", "plenty"),
        ("phases.train.shmSize", "1 Gi"),
        ("settings.Training", {"num_epochs": 1}),
        ("settings.training.num__epochs", 1),
        ("settings.run", "elsewhere"),
        ("settings.preset", "demo"),
        ("experiment", "reef/1"),
        ("experiment", "reef-"),
        ("run", "../other"),
        ("run", "/data/runs/x"),
        ("export.path", "a/../../b"),
        ("export.upload.sha256", "AB"),
        ("export.upload.name", "../x.zip"),
        ("volume.accessModes", ["ReadOnlyMany"]),
        ("volume.accessModes", []),
        ("volume.mountPath", "/tmp/x"),
        ("volume.size", "big"),
        ("ttlSecondsAfterFinished", 10),
        ("queue.names", "x"),
        ("pod.runAsUser", 0),
        ("pod.extraEnv", [{"name": "SAM2VLM_SEED", "value": "1"}]),
        ("huggingface.token", "hf_secret"),
        ("trackers.wandb.apiKey", "a literal key"),
        ("trackers.mlflow.trackingUriSecret.value", "http://user:password@host"),
        ("trackers.ports", []),
        ("networkPolicy.apiServerPorts", ["443"]),
        ("preset", ""),
    ],
)
def test_what_the_schema_refuses(path, value, refusal):
    said = refusal(with_value(path, value))
    assert "values don't meet the specifications of the schema" in said
    assert path.split(".")[-1] in said or path.split(".")[0] in said


def test_an_upload_needs_its_digest(refusal):
    assert "sha256" in refusal({"export": {"upload": {"enabled": True}}})


def test_something_must_go_in_and_only_once(refusal):
    assert "nothing goes in" in refusal({})
    both = {"export": {"path": "x.zip", "upload": {"enabled": True, "sha256": "ab" * 32}}}
    assert "either path or upload.enabled" in refusal(both)


def test_an_old_cluster_is_refused(refusal):
    assert "1.31" in refusal(UPLOAD, "--kube-version", "1.30.2")


@pytest.mark.parametrize("arguments", [(), ("--values", str(EVERYTHING))])
def test_lint(lint, arguments):
    done = lint(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_and_the_package_have_one_version():
    import sam2vlm

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == sam2vlm.__version__
    assert chart["kubeVersion"] == ">=1.31.0-0"


def test_the_phases_are_the_packages():
    from sam2vlm.artifacts import PHASES

    assert tuple(VALUES["phases"]) == PHASES
    assert Path(CHART / "templates" / "_names.tpl").read_text().count(" ".join(PHASES)) == 1
