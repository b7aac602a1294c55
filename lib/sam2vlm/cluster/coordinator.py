"""The coordinator's loop: look, decide, act, wait for a change, and never give up on a lost API server."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sam2vlm.cluster.order import Failed, Finished, PhaseState, Release, Wait, decide
from sam2vlm.errors import Sam2vlmError, SettingsError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ClusterDeniedError", "ClusterUnavailableError", "Observation", "PhaseFailedError", "Release", "coordinate"]

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# A Role and the authorizer's view of it can be a moment apart just after the install.
DENIALS = 5


class ClusterUnavailableError(Sam2vlmError):
    """The API server does not answer, or not sensibly: it is asked again."""


class ClusterDeniedError(Sam2vlmError):
    """The API server says that the coordinator may not do this."""


class PhaseFailedError(Sam2vlmError):
    """A phase of the release has failed for good; its exit code is the coordinator's."""

    def __init__(self, failed: Failed) -> None:
        held = f"; {', '.join(failed.held)} will not run" if failed.held else ""
        super().__init__(f"{failed.phase} failed with exit code {failed.exit_code}: {failed.cause}{held}")
        self.exit_code = failed.exit_code  # one class, as many codes as phases have


@dataclass(frozen=True, slots=True)
class Observation:
    """A release at one moment.

    Attributes:
        states: Every phase, in order.
        version: The listing's resource version, from which a watch can go on.
    """

    states: tuple[PhaseState, ...]
    version: str


class Cluster(Protocol):
    """What the loop needs of a cluster."""

    def observe(self) -> Observation:
        """List the release's Jobs and pods."""

    def release(self, job: str) -> None:
        """Let a Job start; harmless where it has started already."""

    def wait_for_change(self, version: str, timeout_s: float) -> None:
        """Return when a Job of the release changed after ``version``, or when the time is over."""


def coordinate(cluster: Cluster, *, resync_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Release phase after phase until all are complete.

    Args:
        cluster: The release in its cluster.
        resync_s: Longest wait without looking again, in seconds.
        sleep: Waits between tries, in seconds.

    Raises:
        PhaseFailedError: A phase failed for good.
        SettingsError: The coordinator's account lacks a permission.
    """
    troubles = 0
    waiting_for: str | None = None
    while True:
        try:
            observation = cluster.observe()
            decision = decide(observation.states)
            if isinstance(decision, Wait):
                if decision.phase != waiting_for:
                    get_logger("coordinator").info("waiting", waiting_for=decision.phase)
                waiting_for = decision.phase
                cluster.wait_for_change(observation.version, resync_s)
            elif _act(cluster, decision):
                return
            troubles = 0
        except (ClusterUnavailableError, ClusterDeniedError) as error:
            troubles += 1
            _bear(error, troubles, sleep)


def _act(cluster: Cluster, decision: Release | Finished | Failed) -> bool:
    """Carry a decision out; tell whether that was the last one."""
    log = get_logger("coordinator")
    if isinstance(decision, Failed):
        raise PhaseFailedError(decision)
    for phase in decision.unread:
        log.warning("pods are gone; the Job says that it is complete", finished=phase)
    if isinstance(decision, Finished):
        log.info("all phases are complete")
        return True
    cluster.release(decision.job)
    log.info("released", released=decision.phase, job=decision.job)
    return False


def _bear(error: Sam2vlmError, troubles: int, sleep: Callable[[float], None]) -> None:
    if isinstance(error, ClusterDeniedError) and troubles > DENIALS:
        raise SettingsError(f"{error}; the release's Role must allow it") from error
    pause = BACKOFF_S[min(troubles, len(BACKOFF_S)) - 1]
    get_logger("coordinator").warning("the API server is not to be had; trying again", cause=str(error), seconds=pause)
    sleep(pause)
