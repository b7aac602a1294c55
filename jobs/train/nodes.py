"""Which of several nodes this one is, and how each of them ends when one has: without any connection, to be tested."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.train.verdicts import Verdict
from sam2vlm.errors import (
    EXIT_ANOTHER_NODE,
    EXIT_DATA,
    EXIT_OK,
    EXIT_SETTINGS,
    EXIT_TEMPORARY,
    EXIT_UNFORESEEN,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.train.settings import RendezvousSettings

__all__ = ["INDEX_VARIABLE", "Node", "NodeEnd", "ends_of_all", "this_node"]

#: Kubernetes sets it in the pods of an Indexed Job.
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine, or pod, of those that train together.

    Attributes:
        index: Its number, from 0; its first rank is this times the processes of a node.
        count: How many there are.
        host: The name or address of node 0, as this node reaches it.
        port: Where node 0's launcher listens; the next one is torchrun's.
        timeout_s: How long to wait for the others.
    """

    index: int
    count: int
    host: str
    port: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """How one node ended.

    Attributes:
        verdict: Its own; None where it was lost without one.
        interrupted: Whether it was told to stop by a signal of its own.
    """

    verdict: Verdict | None
    interrupted: bool = False


def this_node(count: int, rendezvous: RendezvousSettings) -> Node | None:
    """Return which node this is; None where there is only one.

    Args:
        count: ``devices.nodes``.
        rendezvous: Where node 0 is.

    Raises:
        SettingsError: The number of this node or the place of node 0 is missing or wrong.
    """
    if count == 1:
        return None
    index = os.environ.get(INDEX_VARIABLE, "")
    if not (index.isascii() and index.isdigit() and int(index) < count):
        raise SettingsError(
            "with several nodes each has a number of its own, which the pods of an Indexed Job get by themselves",
            source=INDEX_VARIABLE,
            expected=f"0 to {count - 1}",
            found=index or "nothing",
        )
    if rendezvous.host is None:
        raise SettingsError(
            "with several nodes each has to know where node 0 is",
            source="SAM2VLM_RENDEZVOUS__HOST",
            expected="the name or address of node 0",
            found="nothing",
        )
    return Node(int(index), count, rendezvous.host, rendezvous.port, float(rendezvous.timeout_seconds))


def ends_of_all(ends: Mapping[int, NodeEnd]) -> dict[int, Verdict]:
    """Return how each node is to end: the one that the cause lies with by its own code, the others by 68.

    So a Job counts one failure whatever the number of nodes, and none where the cause was an eviction. What no retry
    helps, and success, is everyone's. Node 0 answers for a node that was lost, which may not be there to be counted.

    Args:
        ends: Every node's own end.
    """
    done = ends[0].verdict
    if done is not None and done.exit_code == EXIT_OK:
        # Rank 0 publishes last, so that there is nothing left for which another node would be needed.
        return dict.fromkeys(ends, done)
    causes, verdict = _cause(ends)
    if verdict.exit_code in (EXIT_DATA, EXIT_SETTINGS):
        return dict.fromkeys(ends, verdict)
    followers = Verdict(EXIT_ANOTHER_NODE, f"node {min(causes)}: {verdict.message}", follows=True)
    return {node: verdict if node in causes else followers for node in ends}


def _cause(ends: Mapping[int, NodeEnd]) -> tuple[set[int], Verdict]:
    for code in (EXIT_DATA, EXIT_SETTINGS):
        for node, verdict in _own(ends, code).items():
            return {node}, verdict
    stopped = {node: verdict for node, verdict in _own(ends, EXIT_TEMPORARY).items() if ends[node].interrupted}
    if stopped:
        return set(stopped), next(iter(stopped.values()))
    lost = [str(node) for node, end in sorted(ends.items()) if end.verdict is None]
    if lost:
        # Before what the others met with: without it they fail in many ways.
        named = f"node {lost[0]} was" if len(lost) == 1 else f"nodes {', '.join(lost)} were"
        return {0}, Verdict(EXIT_TEMPORARY, f"{named} lost; start all again to go on from the last checkpoint")
    for code in (EXIT_UNFORESEEN, EXIT_TEMPORARY):
        for node, verdict in _own(ends, code).items():
            return {node}, verdict
    return {0}, Verdict(EXIT_UNFORESEEN, "the nodes lost each other; start all again to go on from the last checkpoint")


def _own(ends: Mapping[int, NodeEnd], code: int) -> dict[int, Verdict]:
    """Return the verdicts with a code that are no consequence of another's, by node."""
    found = {node: end.verdict for node, end in sorted(ends.items()) if end.verdict is not None}
    return {node: verdict for node, verdict in found.items() if verdict.exit_code == code and not verdict.follows}
