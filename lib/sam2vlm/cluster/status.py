"""A release's phases for a person: a pure function from the listing to rows of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.cluster.observe import job_condition, node_of, phase_states, pods_of
from sam2vlm.cluster.order import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PhaseRow", "phase_rows"]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One line of ``make status``.

    Attributes:
        phase: The phase.
        state: ``held``, ``queued``, ``starting``, ``running``, ``complete``, ``failed`` or ``missing``.
        pods: How many pods it has had that are still to be seen.
        started: When its Job started, as the cluster says it (UTC).
        detail: Why it waits or failed, or the manifest's digest.
    """

    phase: str
    state: str
    pods: int
    started: str
    detail: str


def phase_rows(release: str, items: Sequence[dict[str, Any]]) -> list[PhaseRow]:
    """Return a row a phase.

    Args:
        release: The release's name.
        items: Its Jobs and pods, as ``kubectl get jobs,pods -o json`` lists them.
    """
    jobs = [item for item in items if item["kind"] == "Job"]
    pods = [item for item in items if item["kind"] == "Pod"]
    by_name = {job["metadata"]["name"]: job for job in jobs}
    rows = []
    for state in phase_states(release, jobs, pods):
        job = by_name.get(state.job)
        own = pods_of(state.phase, job, pods)
        started = (job or {}).get("status", {}).get("startTime", "")
        shown, detail = state.status.value, state.cause
        if state.status is Status.COMPLETE:
            detail = f"manifest {state.manifest[:12]}" if state.manifest else "its pods are gone"
        elif state.status is Status.RELEASED and job is not None:
            shown, detail = _under_way(job, own)
        rows.append(PhaseRow(state.phase, shown, len(own), started, detail))
    return rows


def _under_way(job: dict[str, Any], pods: Sequence[dict[str, Any]]) -> tuple[str, str]:
    if job_condition(job, "Suspended"):
        return "queued", "not admitted yet, or paused"
    nodes = int(job.get("spec", {}).get("completions") or 1)
    alive = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Pending", "Running")]
    if not alive:
        return "starting", "no pod yet"
    # Of several nodes none works before all are there.
    newest = list({node_of(pod): pod for pod in alive}.values())
    waiting = [pod for pod in newest if pod["status"]["phase"] == "Pending"]
    if waiting:
        which = f"node {node_of(waiting[0])}: " if nodes > 1 else ""
        return "starting", which + _why_pending(waiting[0]["status"])
    if len(newest) < nodes:
        return "starting", f"{len(newest)} of {nodes} nodes"
    tries = max(Counter(map(node_of, pods)).values())
    told = [f"{nodes} nodes"] * (nodes > 1) + [f"try {tries}"] * (tries > 1)
    return "running", ", ".join(told)


def _why_pending(status: dict[str, Any]) -> str:
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        state = entry.get("state", {})
        if "running" in state:
            return "waits for the export" if entry["name"] == "receive" else ""
        waiting = state.get("waiting", {})
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".strip(": ")
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", "cannot be placed"))
    return "its container is being made"
