"""Follow a release to its end: every phase's log lines as they come, and the exit code of the whole."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from sam2vlm.cluster.experiment import get_command
from sam2vlm.cluster.observe import node_of, phase_states, pods_of
from sam2vlm.cluster.order import PhaseState, Status
from sam2vlm.cluster.programs import CommandError, find_program, json_of
from sam2vlm.errors import EXIT_OK, EXIT_UNFORESEEN, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sam2vlm.cluster.experiment import Experiment

__all__ = ["LineFilter", "follow", "log_lines", "next_pod", "outcome", "show_log"]

POLL_S = 2.0
# Longer than an API server takes to be replaced.
PATIENCE = 150


class LineFilter:
    """Drops the lines that a broken and renewed log stream repeats.

    ``kubectl logs --timestamps`` puts the time of each line in front of it. Times do not go back within a
    container, so that a line which is not younger than the last one has been shown.
    """

    def __init__(self) -> None:
        self.last = ""
        self._seen: set[str] = set()

    def __call__(self, stamped: str) -> str | None:
        """Return the line without its stamp, None where it has been shown."""
        stamp, _, line = stamped.rstrip("\n").partition(" ")
        if stamp < self.last or (stamp == self.last and line in self._seen):
            return None
        if stamp > self.last:
            self.last, self._seen = stamp, set()
        self._seen.add(line)
        return line


def follow(experiment: Experiment, *, show: Callable[[str, str], None]) -> int:
    """Show every phase's lines until the release is done.

    Args:
        experiment: The release.
        show: Called with the phase and the line.

    Returns:
        0 when all phases are complete, else the failed phase's exit code.

    Raises:
        CommandError: The cluster has not answered for five minutes.
    """
    shown: dict[str, LineFilter] = {}
    finished: set[str] = set()
    troubles = 0
    while True:
        try:
            items = json_of(get_command(experiment))["items"]
            troubles = 0
        except CommandError:
            troubles += 1
            if troubles > PATIENCE:
                raise
            items = None
        if items is not None:
            pod = next_pod(experiment.name, items, finished)
            if pod is not None:
                name, phase, ended = pod
                for line in log_lines(experiment, name, phase, shown.setdefault(name, LineFilter())):
                    show(phase, line)
                # A stream also ends when the API server goes; only an ended pod is read to its end.
                if ended:
                    finished.add(name)
                    continue
            elif (code := outcome(experiment.name, items)) is not None:
                return code
        time.sleep(POLL_S)


def next_pod(release: str, items: Sequence[dict[str, Any]], finished: set[str]) -> tuple[str, str, bool] | None:
    """Return the oldest started pod that has not been read to its end: its name, its phase, whether it has ended."""
    jobs = [item for item in items if item["kind"] == "Job"]
    pods = [item for item in items if item["kind"] == "Pod"]
    by_name = {job["metadata"]["name"]: job for job in jobs}
    for state in phase_states(release, jobs, pods):
        for pod in pods_of(state.phase, by_name.get(state.job), pods):
            name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase")
            if name not in finished and phase in ("Running", "Succeeded", "Failed"):
                return name, state.phase, phase != "Running"
    return None


def outcome(release: str, items: Sequence[dict[str, Any]]) -> int | None:
    """Return the release's exit code, None while it has none.

    Raises:
        SettingsError: There is no such release.
    """
    jobs = [item for item in items if item["kind"] == "Job"]
    if not jobs:
        raise SettingsError("there is no such experiment here", source="EXPERIMENT", found=release)
    states = phase_states(release, jobs, [item for item in items if item["kind"] == "Pod"])
    failed: PhaseState | None = next((state for state in states if state.status is Status.FAILED), None)
    if failed is not None:
        return failed.exit_code or EXIT_UNFORESEEN
    return EXIT_OK if all(state.status is Status.COMPLETE for state in states) else None


def log_lines(experiment: Experiment, pod: str, phase: str, fresh: LineFilter) -> Iterator[str]:
    """Yield a pod's log lines until it ends or the stream breaks."""
    command = [
        find_program("kubectl"),
        "logs",
        "--follow",
        "--timestamps",
        *experiment.where,
        pod,
        "--container",
        phase,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # noqa: S101  told to mypy; a pipe was asked for
        try:
            for stamped in process.stdout:
                line = fresh(stamped)
                if line is not None:
                    yield line
        finally:
            process.terminate()


def show_log(experiment: Experiment, component: str) -> int:
    """Follow the log of one Job of the release, as kubectl shows it; return kubectl's exit code.

    Args:
        experiment: The release.
        component: A phase, or ``coordinator``.

    Raises:
        SettingsError: There is no such Job, or its pod is not there yet.
    """
    query = ["--selector", f"app.kubernetes.io/instance={experiment.name},app.kubernetes.io/component={component}"]
    pods = json_of(["kubectl", "get", "pods", *experiment.where, *query, "--output", "json"])["items"]
    if not pods:
        raise SettingsError("has no pod yet: `make status` says what it waits for", source="PHASE", found=component)
    # Of several nodes the first one speaks.
    pods = [pod for pod in pods if node_of(pod) == 0] or pods
    newest = max(pods, key=lambda pod: (str(pod["metadata"]["creationTimestamp"]), pod["metadata"]["name"]))
    container = newest["spec"]["containers"][0]["name"]
    command = ["logs", "--follow", *experiment.where, newest["metadata"]["name"], "--container", container]
    return subprocess.run([find_program("kubectl"), *command], check=False).returncode
