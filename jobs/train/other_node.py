"""The side of every node but node 0; ``rendezvous.py`` tells what both say."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from jobs.train.peer import Peer
from jobs.train.rendezvous import MARK
from jobs.train.verdicts import Verdict
from sam2vlm.errors import EXIT_ANOTHER_NODE, EXIT_DATA, EXIT_SETTINGS, RendezvousError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobs.train.nodes import Node

__all__ = ["OtherNode", "join"]

TRY_EVERY_S = 1.0
CONNECT_TIMEOUT_S = 5.0


class OtherNode:
    """Another node's side.

    Args:
        node: This node.
        peer: The connection to node 0.
    """

    def __init__(self, node: Node, peer: Peer) -> None:
        self.node = node
        self.own_address, self.master_address = peer.own_address, peer.address
        self._peer = peer
        self._end: Verdict | None = None
        self._stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._peer.close()

    def must_stop(self, *, wait: float) -> bool:
        """Wait for news for a moment; return whether this node has to stop because another one has."""
        if self._peer.gone:
            time.sleep(wait)
        else:
            self._step(wait)
        return self._stopping

    def settle(self, verdict: Verdict, *, interrupted: bool) -> Verdict:
        """Tell node 0 how this node ended, and return how it is to end."""
        self._peer.send({"verdict": asdict(verdict), "interrupted": interrupted})
        while self._end is None and not self._peer.gone:
            self._step(None)
        if self._end is not None:
            return self._end
        if verdict.exit_code in (EXIT_DATA, EXIT_SETTINGS) or interrupted:
            return verdict
        return Verdict(EXIT_ANOTHER_NODE, "node 0 was lost; start all again to go on from the last checkpoint")

    def _step(self, wait: float | None) -> None:
        for message in _messages(self._peer, wait):
            if "end" in message:
                self._end = Verdict(**message["end"])
            self._stopping = True
        self._stopping = self._stopping or self._peer.gone


def join(
    node: Node, *, fingerprint: str, folder: Path, finished: Callable[[], bool]
) -> tuple[OtherNode, dict[str, Any]] | Verdict | None:
    """Find node 0, and wait until it lets this node begin.

    Names may not resolve yet, and a pod that was replaced may still answer for a moment, so everything is tried again.

    Args:
        node: This node.
        fingerprint: The phase's, as this node has it.
        folder: The run's.
        finished: Whether the phase is finished, and node 0 so gone for good.

    Returns:
        This node's side and what node 0 says to begin with; or how this node is to end without having begun; None
        where the phase is finished.

    Raises:
        RendezvousError: Node 0 was not to be reached in time.
    """
    log, until = get_logger("nodes"), time.monotonic() + node.timeout_s
    log.info("looking_for_node_0", host=node.host, port=node.port, seconds=node.timeout_s)
    reason: object = "it did not answer"
    while time.monotonic() < until:
        if finished():
            return None
        try:
            peer = Peer(socket.create_connection((node.host, node.port), timeout=CONNECT_TIMEOUT_S))
        except OSError as error:
            reason = error.strerror or error
        else:
            answer = _answer(peer, node, fingerprint=fingerprint, folder=folder)
            if answer is not None and "begin" in answer:
                return OtherNode(node, peer), dict(answer["begin"])
            peer.close()
            if answer is not None and "end" in answer:
                return Verdict(**answer["end"])
            reason = "something else than node 0" if answer is None else "it did not answer"
        time.sleep(TRY_EVERY_S)
    raise RendezvousError(
        f"node 0 was not to be reached within {node.timeout_s:.0f} s; give it room, or set "
        "SAM2VLM_RENDEZVOUS__TIMEOUT_SECONDS",
        source=f"{node.host}:{node.port}",
        found=reason,
    )


def _answer(peer: Peer, node: Node, *, fingerprint: str, folder: Path) -> dict[str, Any] | None:
    """Say who this is, and return what node 0 makes of it; nothing where it went away, None where it is not node 0."""
    # Node 0 speaks first and at once; most other services wait for ever for who has called them.
    until, known = time.monotonic() + CONNECT_TIMEOUT_S, False
    while not peer.gone and (known or time.monotonic() < until):
        for message in _messages(peer, None if known else until - time.monotonic()):
            if "mark" in message:
                known = True
                seen = _read(folder / MARK)
                peer.send({"node": node.index, "fingerprint": fingerprint, "mark": seen})
            else:
                return message if known else None
    return {} if known else None


def _messages(peer: Peer, wait: float | None) -> list[dict[str, Any]]:
    with selectors.DefaultSelector() as selector:
        selector.register(peer, selectors.EVENT_READ)
        return peer.receive() if selector.select(wait) else []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
