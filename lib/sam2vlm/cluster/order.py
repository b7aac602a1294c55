"""Which phase comes next: the coordinator's whole decision, as a pure function of what the cluster shows.

The decision is level-triggered. It looks at nothing but the present state, so that a coordinator which starts
anew at any moment decides what the old one would have decided.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.errors import EXIT_SETTINGS, EXIT_UNFORESEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Decision", "Failed", "Finished", "PhaseState", "Release", "Status", "Wait", "decide"]


class Status(enum.Enum):
    """How far a phase's Job is."""

    MISSING = "missing"
    HELD = "held"  # suspended, its turn has not come
    RELEASED = "released"  # queued, running or trying again
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PhaseState:
    """One phase as the cluster shows it.

    Attributes:
        phase: Its name.
        job: The Job's name.
        status: How far it is.
        pod_seen: Whether the pod that succeeded is still there to be read.
        manifest: SHA-256 of the phase's manifest, from that pod's last words.
        exit_code: The last failed pod's exit code, where known.
        cause: One sentence on a failure, from the pod's last words or from the Job's condition.
    """

    phase: str
    job: str
    status: Status
    pod_seen: bool = False
    manifest: str | None = None
    exit_code: int | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until this phase's Job moves."""

    phase: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let this phase's Job start.

    Attributes:
        phase: Its name.
        job: The Job's name.
        unread: Finished phases whose pods are gone, so that only the Job says that they are complete.
    """

    phase: str
    job: str
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """All phases are complete."""

    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A phase has failed for good; those after it stay suspended.

    Attributes:
        phase: The phase that failed.
        exit_code: What the coordinator should end with.
        cause: One sentence.
        held: The phases that will not run.
    """

    phase: str
    exit_code: int
    cause: str
    held: tuple[str, ...]


Decision = Wait | Release | Finished | Failed


def decide(states: Sequence[PhaseState]) -> Decision:
    """Decide what to do about a release.

    Args:
        states: Every phase, in the order in which they run.

    Returns:
        The first thing that stands in the way of the last phase's completion, or :class:`Finished`.
    """
    frontier = _frontier(states)
    unread: list[str] = []
    for index, state in enumerate(states):
        held = tuple(later.phase for later in states[index + 1 :] if later.status is Status.HELD)
        match state.status:
            case Status.FAILED:
                return Failed(state.phase, state.exit_code or EXIT_UNFORESEEN, state.cause, held)
            case Status.RELEASED:
                return Wait(state.phase)
            case Status.HELD:
                return Release(state.phase, state.job, tuple(unread))
            case Status.MISSING if index > frontier:
                return Failed(state.phase, EXIT_SETTINGS, f"the Job {state.job} is gone and had not started", held)
            case Status.COMPLETE if state.pod_seen and state.manifest is None and index == frontier:
                cause = f"the Job {state.job} is complete, but its pod's last words name no manifest"
                return Failed(state.phase, EXIT_UNFORESEEN, cause, held)
        if not state.pod_seen:
            unread.append(state.phase)
    return Finished(tuple(unread))


def _frontier(states: Sequence[PhaseState]) -> int:
    """Return the index of the last phase that has been released, -1 for none.

    A missing Job before it was deleted after it had finished (ttlSecondsAfterFinished): it was complete, or the
    frontier would not be where it is.
    """
    reached = (index for index, state in enumerate(states) if state.status not in (Status.MISSING, Status.HELD))
    return max(reached, default=-1)
