"""What `make train`, `status`, `logs` and `images` are made of, without a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.cluster.experiment import Experiment, Export, Overrides, helm_install, helm_uninstall, push_command
from sam2vlm.cluster.follow import LineFilter, next_pod, outcome
from sam2vlm.cluster.images import build_command
from sam2vlm.cluster.install import find_export, receiving_pod
from sam2vlm.cluster.status import PhaseRow, phase_rows
from sam2vlm.errors import DataError, Sam2vlmError, SettingsError
from tests.unit.cluster.listings import DIGEST, done_pod, job, pod

CHART = Path("charts/sam2vlm")


def test_the_install_command_with_an_upload():
    export = Export(local=Path("my data/Reef (1).zip"), sha256="1" * 64)
    overrides = Overrides("demo", (Path("lab.yaml"),), ("settings.seed=1",))
    assert helm_install(CHART, Experiment("reef", "lab"), export, overrides) == [
        *("helm", "upgrade", "--install", "reef", "charts/sam2vlm", "--namespace", "lab", "--create-namespace"),
        *("--values", "lab.yaml"),
        *("--set", "export.upload.enabled=true"),
        *("--set-string", "export.upload.sha256=" + "1" * 64),
        *("--set-string", "export.upload.name=Reef__1_.zip"),
        *("--set-string", "preset=demo", "--set", "settings.seed=1"),
    ]


def test_the_install_command_with_an_export_on_the_volume():
    command = helm_install(CHART, Experiment("reef"), find_export("volume:/exports/reef.zip"), Overrides())
    assert command == [
        *("helm", "upgrade", "--install", "reef", "charts/sam2vlm", "--set-string", "export.path=exports/reef.zip")
    ]


def test_the_other_commands():
    lab = Experiment("reef", "lab")
    assert helm_uninstall(lab) == [
        *("helm", "uninstall", "reef", "--namespace", "lab", "--wait", "--cascade", "foreground")
    ]
    assert push_command(lab, "reef-prepare-x", ["--target=/data/x", "--sha256=ab"]) == [
        *("kubectl", "exec", "--stdin", "--namespace", "lab", "reef-prepare-x", "--container", "receive", "--"),
        *("python", "-m", "jobs.receive", "accept", "--target=/data/x", "--sha256=ab"),
    ]


@pytest.mark.parametrize("name", ["", "Reef", "reef_1", "-reef", "reef-", "a" * 54, "reef/1"])
def test_names_that_helm_would_refuse(name):
    with pytest.raises(SettingsError, match="EXPERIMENT: cannot name a release"):
        Experiment(name)


def test_the_export_that_is_given(tmp_path):
    archive = tmp_path / "reef.zip"
    archive.write_bytes(b"abc")
    # printf abc | sha256sum
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert find_export(str(archive)) == Export(local=archive, sha256=digest)
    with pytest.raises(DataError, match="there is no such export"):
        find_export(str(tmp_path / "other.zip"))
    with pytest.raises(DataError, match=r"a folder cannot be streamed; pack it"):
        find_export(str(tmp_path))


def waiting_pod(state):
    waiting = pod("prepare", status="Pending")
    waiting["status"]["initContainerStatuses"] = [{"name": "receive", "state": state}]
    return waiting


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([job("prepare")], (False, "prepare's pod is not there yet")),
        ([job("prepare"), waiting_pod({"running": {}})], (True, None)),
        ([job("prepare"), waiting_pod({"terminated": {"exitCode": 0}})], (False, None)),
        ([job("prepare"), waiting_pod({"terminated": {"exitCode": 75}})], (False, "prepare's pod starts again")),
        (
            [job("prepare"), waiting_pod({"waiting": {"reason": "ErrImagePull", "message": "no such image"}})],
            (False, "prepare's pod: ErrImagePull no such image"),
        ),
        ([job("prepare", condition="Complete")], (False, None)),
        (
            [job("prepare", suspended=True)],
            (False, "prepare is suspended (a queue has not admitted it, or somebody has paused it)"),
        ),
        ([job("prepare"), pod("prepare", status="Pending")], (False, "prepare's pod is being placed")),
    ],
)
def test_where_to_stream_the_export(items, found):
    to, waits_for = receiving_pod("reef", items)
    assert (to is not None, waits_for) == found


def test_a_pod_that_cannot_be_placed_says_why():
    unplaced = pod("prepare", status="Pending")
    said = "0/1 nodes are available: 1 Insufficient memory."
    unplaced["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": said}]
    assert receiving_pod("reef", [job("prepare"), unplaced]) == (None, f"prepare's pod cannot be placed: {said}")


def test_a_failed_prepare_is_no_place_to_stream_to():
    items = [job("prepare", condition="Failed"), pod("prepare", status="Failed", exit_code=78, message="no preset")]
    with pytest.raises(Sam2vlmError, match="prepare failed: no preset") as caught:
        receiving_pod("reef", items)
    assert caught.value.exit_code == 78


def test_status_rows():
    pulling = pod("evaluate", status="Pending")
    pulling["status"]["containerStatuses"] = [
        {"name": "evaluate", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    ]
    items = [
        job("prepare", condition="Complete"),
        done_pod("prepare"),
        job("train"),
        pod("train", status="Failed", exit_code=75, name="a", created="2031-01-01T00:00:00Z"),
        pod("train", name="b", created="2031-01-01T00:05:00Z"),
        job("evaluate"),
        pulling,
        job("export", released=False),
    ]
    began = "2031-01-01T00:00:00Z"
    assert phase_rows("reef", items) == [
        PhaseRow("prepare", "complete", 1, began, f"manifest {DIGEST[:12]}"),
        PhaseRow("train", "running", 2, began, "try 2"),
        PhaseRow("evaluate", "starting", 1, began, "ImagePullBackOff: no such image"),
        PhaseRow("export", "held", 0, began, ""),
    ]


def test_status_of_several_nodes():
    train = job("train")
    train["spec"]["completions"] = 2
    failed = [pod("train", status="Failed", exit_code=75, name=f"old-{node}", node=node) for node in (0, 1)]
    nodes = [pod("train", name=f"new-{node}", node=node, created="2031-01-01T00:05:00Z") for node in (0, 1)]

    def row(*pods):
        return phase_rows("reef", [train, *pods])[1]

    assert (row(*nodes).state, row(*nodes).detail) == ("running", "2 nodes")
    assert row(*failed, *nodes).detail == "2 nodes, try 2"
    assert (row(nodes[0]).state, row(nodes[0]).detail) == ("starting", "1 of 2 nodes")
    nodes[1]["status"] = {"phase": "Pending", "conditions": []}
    assert (row(*nodes).state, row(*nodes).detail) == ("starting", "node 1: its container is being made")


def test_status_rows_of_a_failure_and_a_queue():
    items = [
        job("prepare", condition="Failed"),
        pod("prepare", status="Failed", exit_code=65, message="frame 3 is missing"),
        job("train", suspended=True),
    ]
    rows = phase_rows("reef", items)
    assert (rows[0].state, rows[0].detail) == ("failed", "frame 3 is missing")
    assert (rows[1].state, rows[1].detail) == ("queued", "not admitted yet, or paused")
    assert rows[2].state == "missing"


def test_the_pod_to_read_next():
    items = [job("prepare", condition="Complete"), done_pod("prepare"), job("train"), pod("train", status="Pending")]
    assert next_pod("reef", items, set()) == ("reef-prepare-x", "prepare", True)
    assert next_pod("reef", items, {"reef-prepare-x"}) is None
    items[-1] = pod("train")
    assert next_pod("reef", items, {"reef-prepare-x"}) == ("reef-train-x", "train", False)


def test_how_it_ended():
    phases = ("prepare", "train", "evaluate", "export")
    complete = [job(phase, condition="Complete") for phase in phases]
    assert outcome("reef", complete) == 0
    assert outcome("reef", [*complete[:3], job("export")]) is None
    failed = [job("prepare", condition="Failed"), pod("prepare", status="Failed", exit_code=65, message="bad")]
    assert outcome("reef", failed) == 65
    with pytest.raises(SettingsError, match="there is no such experiment here"):
        outcome("reef", [])


@given(st.lists(st.tuples(st.integers(0, 5), st.text("ab", max_size=2)), max_size=12), st.data())
def test_a_renewed_stream_repeats_nothing_and_loses_nothing(entries, data):
    entries = sorted(set(entries))
    lines = [f"2031-01-01T00:00:0{second}Z {text}\n" for second, text in entries]
    fresh = LineFilter()
    shown = []
    for _ in range(3):
        cut = data.draw(st.integers(0, len(lines)))
        shown += [line for line in map(fresh, lines[:cut]) if line is not None]
    shown += [line for line in map(fresh, lines) if line is not None]
    assert shown == [text for _, text in entries]


def test_build_commands():
    dockerfile = Path("docker/cpu.Dockerfile")
    assert build_command(["docker", "build"], dockerfile, "sam2vlm-cpu:1") == [
        *("docker", "build", "--tag", "sam2vlm-cpu:1", "--file", "docker/cpu.Dockerfile", ".")
    ]
    assert build_command(["buildah", "build"], dockerfile, "x", base="debian", arguments=["A=b"]) == [
        *("buildah", "build", "--layers", "--build-arg", "BASE_IMAGE=debian", "--build-arg", "A=b"),
        *("--tag", "x", "--file", "docker/cpu.Dockerfile", "."),
    ]


def test_without_a_cluster_one_sentence_names_the_demo(tmp_path):
    archive = tmp_path / "reef.zip"
    archive.write_bytes(b"PK")
    command = [sys.executable, "-c", "from sam2vlm.cli import main; main()", "cluster", "train"]
    done = subprocess.run(
        [*command, "--experiment", "reef", "--export", str(archive)],
        env={**os.environ, "KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    (line,) = done.stderr.strip().splitlines()
    if "kubectl is not installed" not in line:
        assert line.startswith("sam2vlm: no Kubernetes cluster can be reached with the current context; `make demo`")
    assert not done.stdout


def test_a_dry_run_prints_the_command_and_asks_no_cluster(tmp_path):
    archive = tmp_path / "reef.zip"
    archive.write_bytes(b"PK")
    command = [sys.executable, "-c", "from sam2vlm.cli import main; main()", "cluster", "train", "--dry-run"]
    done = subprocess.run(
        [*command, "--experiment", "reef", "--export", str(archive), "--preset", "demo"],
        env={**os.environ, "KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("helm upgrade --install reef charts/sam2vlm --set export.upload.enabled=true")
