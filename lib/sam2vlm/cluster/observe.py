"""Jobs and pods, as the API server's JSON has them, read into states of phases.

The same functions read what the coordinator lists through the API and what ``kubectl get -o json`` prints on a
person's machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import PHASES
from sam2vlm.cluster.order import PhaseState, Status
from sam2vlm.errors import EXIT_ANOTHER_NODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "GATE_ANNOTATION",
    "PHASE_LABEL",
    "QUEUE_LABEL",
    "RELEASED_ANNOTATION",
    "job_condition",
    "job_name",
    "manifest_of",
    "node_of",
    "phase_states",
    "pods_of",
    "selector",
]

# These are the chart's (templates/jobs.yaml).
PHASE_LABEL = "sam2vlm/phase"
RELEASED_ANNOTATION = "sam2vlm/released"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
GATE_ANNOTATION = "kueue.x-k8s.io/admission-gated-by"

DIGEST = re.compile(r"[0-9a-f]{64}")
EXIT_CODE_IN_CONDITION = re.compile(r"exit code (\d+)")

Object = dict[str, Any]


def selector(release: str) -> str:
    """Return the label selector of a release's phases (Jobs and pods)."""
    return f"app.kubernetes.io/instance={release},{PHASE_LABEL}"


def job_name(release: str, phase: str, jobs: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the name of a phase's Job: the listed one's, else the one that the chart gives it.

    The chart cuts release names of more than 50 characters; the listing has the name as it is.
    """
    for job in jobs:
        if _labels(job).get(PHASE_LABEL) == phase:
            return str(job["metadata"]["name"])
    return f"{release}-{phase}"


def phase_states(release: str, jobs: Sequence[Object], pods: Sequence[Object]) -> list[PhaseState]:
    """Return the state of every phase of a release, in order.

    Args:
        release: The release's name.
        jobs: Its Jobs, as JSON objects.
        pods: Its pods, as JSON objects.
    """
    by_phase = {_labels(job).get(PHASE_LABEL): job for job in jobs}
    return [
        _state(phase, job_name(release, phase, jobs), by_phase.get(phase), pods_of(phase, by_phase.get(phase), pods))
        for phase in PHASES
    ]


def pods_of(phase: str, job: Object | None, pods: Iterable[Object]) -> list[Object]:
    """Return a Job's own pods, oldest first; pods of an earlier Job of the same name are left out."""
    uid = job["metadata"].get("uid") if job else None
    own = [pod for pod in pods if _labels(pod).get(PHASE_LABEL) == phase and uid in (None, _owner(pod))]
    return sorted(own, key=lambda pod: (str(pod["metadata"].get("creationTimestamp")), pod["metadata"]["name"]))


def node_of(pod: Object) -> int:
    """Return which of a Job's nodes a pod is; 0 where there is one."""
    return int((pod["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION, 0))


def job_condition(job: Object, kind: str) -> Object | None:
    """Return a Job's condition of a kind (``Complete``, ``Failed``) where it is true."""
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            return dict(condition)
    return None


def manifest_of(message: str | None) -> str | None:
    """Return the manifest's SHA-256 from a finished phase's last words, None where they do not name one."""
    try:
        words = json.loads(message or "")
    except ValueError:
        return None
    digest = words.get("manifest") if isinstance(words, dict) else None
    return digest if isinstance(digest, str) and DIGEST.fullmatch(digest) else None


@dataclass(frozen=True, slots=True)
class _Fault:
    finished: str
    exit_code: int
    cause: str


def _state(phase: str, name: str, job: Object | None, pods: Sequence[Object]) -> PhaseState:
    if job is None:
        return PhaseState(phase, name, Status.MISSING)
    if job_condition(job, "Complete"):
        return _complete(phase, name, pods)
    failed = job_condition(job, "Failed")
    if failed:
        return _failed(phase, name, failed, pods)
    # A Job that a person has paused is suspended too; only the annotation tells that its turn had come.
    released = RELEASED_ANNOTATION in (job["metadata"].get("annotations") or {})
    return PhaseState(phase, name, Status.RELEASED if released else Status.HELD)


def _complete(phase: str, name: str, pods: Sequence[Object]) -> PhaseState:
    done = [pod for pod in pods if pod.get("status", {}).get("phase") == "Succeeded"]
    messages = (state.get("message") for pod in done for state in _terminations(pod, own=phase))
    manifests = [digest for digest in map(manifest_of, messages) if digest]
    return PhaseState(phase, name, Status.COMPLETE, pod_seen=bool(done), manifest=manifests[-1] if manifests else None)


def _failed(phase: str, name: str, condition: Mapping[str, Any], pods: Sequence[Object]) -> PhaseState:
    said = str(condition.get("message") or condition.get("reason") or "the Job failed")
    faults = sorted((fault for pod in pods for fault in _faults(pod)), key=lambda fault: fault.finished)
    # A pod that only followed another one has nothing to say of the cause, and may have ended after it.
    faults = [fault for fault in faults if fault.exit_code != EXIT_ANOTHER_NODE] or faults
    if faults:
        return PhaseState(phase, name, Status.FAILED, exit_code=faults[-1].exit_code, cause=faults[-1].cause or said)
    found = EXIT_CODE_IN_CONDITION.search(said)
    return PhaseState(phase, name, Status.FAILED, exit_code=int(found[1]) if found else None, cause=said)


def _faults(pod: Object) -> list[_Fault]:
    return [
        _Fault(
            str(state.get("finishedAt")),
            int(state["exitCode"]),
            str(state.get("message") or _reason(state, pod)).strip(),
        )
        for state in _terminations(pod)
        if state.get("exitCode")
    ]


def _reason(state: Mapping[str, Any], pod: Object) -> str:
    reason = pod.get("status", {}).get("message") or state.get("reason") or ""
    return f"exit code {state['exitCode']}, {reason}" if reason else f"exit code {state['exitCode']}"


def _terminations(pod: Object, *, own: str | None = None) -> list[Object]:
    """Return how a pod's containers ended: all of them, or the one of a name."""
    status = pod.get("status", {})
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ended = [(entry["name"], entry.get("state", {}).get("terminated")) for entry in statuses]
    return [dict(state) for name, state in ended if state and own in (None, name)]


def _labels(thing: Mapping[str, Any]) -> dict[str, str]:
    return thing["metadata"].get("labels") or {}


def _owner(pod: Mapping[str, Any]) -> str | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)
