"""Copy a run's results from its volume to this machine, whole and checked, or not at all."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sam2vlm.artifacts import PHASES, RunLayout, publish_folder, read_manifest, verify_outputs
from sam2vlm.cluster.programs import CommandError, find_program, json_of, run
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.cluster.experiment import Experiment

__all__ = ["RESULTS", "fetch", "unpack"]

# What people want to see and use. The dataset and the checkpoints stay on the volume: they are large.
RESULTS = (
    "export",
    "evaluate",
    "prepare/manifest.json",
    "prepare/report.md",
    "prepare/report.json",
    "train/manifest.json",
    "train/config.json",
    "train/metrics.jsonl",
    "train/plots",
)
POD_TIMEOUT_S = 300


def fetch(experiment: Experiment, target: Path, *, everything: bool = False) -> list[str]:
    """Copy a run's results into a folder, replacing what is there of the same phases.

    A pod that holds the volume read-only lives for the time of the copy; its specification is the chart's own,
    kept in the release's ConfigMap.

    Args:
        experiment: The release.
        target: The local run folder.
        everything: The whole run's folder instead of :data:`RESULTS`.

    Returns:
        The phases that had finished and were copied.

    Raises:
        CommandError: There is no such release, or its volume cannot be mounted.
        DataError: The run has no results yet, or a file arrived damaged.
    """
    release = _plan(experiment)
    create = ["kubectl", "create", *experiment.where, "--filename", "-", "--output", "name"]
    pod = run(create, stdin=release["pod.json"].encode()).strip()
    try:
        wait = ["kubectl", "wait", *experiment.where, "--for=condition=Ready", f"--timeout={POD_TIMEOUT_S}s", pod]
        run(wait)
        return _copy(experiment, pod, release["run"], target, everything=everything)
    finally:
        run(["kubectl", "delete", *experiment.where, "--wait=false", "--ignore-not-found", pod])


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive that came from a pod; a member that would leave the folder is an error.

    Raises:
        DataError: It is no archive, is cut, or holds such a member.
    """
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise DataError("what the pod sent cannot be unpacked", found=error) from None


def _plan(experiment: Experiment) -> dict[str, str]:
    query = ["--selector", f"app.kubernetes.io/instance={experiment.name}", "--output", "json"]
    items = json_of(["kubectl", "get", "configmaps", *experiment.where, *query])["items"]
    plans = [item["data"] for item in items if "pod.json" in item.get("data", {})]
    if not plans:
        raise DataError("there is no such experiment here", source="EXPERIMENT", found=experiment.name)
    return dict(plans[0])


def _copy(experiment: Experiment, pod: str, run_folder: str, target: Path, *, everything: bool) -> list[str]:
    execute = ["kubectl", "exec", *experiment.where, pod, "--"]
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target) as name:
        staged, archive = Path(name) / "run", Path(name) / "run.tar"
        staged.mkdir()
        names = ["."] if everything else _existing(execute, run_folder)
        if not names:
            raise DataError("this run has no results yet", source=experiment.name)
        with archive.open("wb") as stream:
            _stream([*execute, "tar", "-C", run_folder, "-cf", "-", *names], stream)
        unpack(archive, staged)
        archive.unlink()
        phases = _check(RunLayout(staged), everything=everything)
        for entry in sorted(staged.iterdir()):
            _publish(entry, target / entry.name)
    return phases


def _existing(execute: Sequence[str], run_folder: str) -> list[str]:
    listed = run([*execute, "find", *(f"{run_folder}/{name}" for name in RESULTS), "-maxdepth", "0"], check=False)
    return [line.removeprefix(f"{run_folder}/") for line in listed.splitlines()]


def _stream(command: Sequence[str], target: IO[bytes]) -> None:
    argv = [find_program(command[0]), *command[1:]]
    done = subprocess.run(argv, stdout=target, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))


def _check(layout: RunLayout, *, everything: bool) -> list[str]:
    """Verify what came whole against the manifests that came with it."""
    finished = [phase for phase in PHASES if layout.manifest(phase).is_file()]
    for phase in finished:
        if everything or phase in RESULTS:
            verify_outputs(layout.phase(phase), read_manifest(layout.manifest(phase)))
    return finished


def _publish(entry: Path, final: Path) -> None:
    if entry.is_dir():
        publish_folder(entry, final)
    else:
        shutil.copyfile(entry, final)
