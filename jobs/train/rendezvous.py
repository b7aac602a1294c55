"""How the launchers of several nodes find each other, begin together and end together: node 0's side.

Node 0 listens; the launcher of every other node keeps one connection to it, for as long as it lives:

    node 0 to node   {"mark": ...}                     what it has just written into the run's folder
    node to node 0   {"node": 1, "fingerprint": ..., "mark": ...}     and what the node has found there
    node 0 to node   {"begin": {...}}                  all are there
    node to node 0   {"verdict": {...}, "interrupted": false}         its processes have ended
    node 0 to node   {"stop": true}                    another node has failed, or is gone
    node 0 to node   {"end": {...}}                    how it is to end

Torchrun's own rendezvous comes after it and tells nobody that a node is gone, and NCCL waits half an hour for one;
here a connection that closes does. Pods that wait hold GPUs, so that nobody waits for longer than is set.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from jobs.train.nodes import NodeEnd, ends_of_all
from jobs.train.peer import Peer
from jobs.train.verdicts import Verdict
from sam2vlm.artifacts import write_text
from sam2vlm.errors import (
    EXIT_ANOTHER_NODE,
    EXIT_DATA,
    EXIT_OK,
    EXIT_SETTINGS,
    RendezvousError,
    Sam2vlmError,
    SettingsError,
)
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.train.nodes import Node

__all__ = ["MARK", "FirstNode"]

#: A file in the run's folder, by which node 0 sees that the others see the same volume.
MARK = ".train-nodes"
#: Beside the grace: for torchrun to end, and for what is told to arrive.
SETTLE_S = 30.0


class FirstNode:
    """Node 0's side: gathers the others, watches them, and says how all end.

    Args:
        node: This node.
        fingerprint: The phase's; a node with other inputs, settings or seed is refused.
        folder: The run's, on the volume that all nodes have to share.
        grace_s: How long the processes of a node that is told to stop may take.
    """

    def __init__(self, node: Node, *, fingerprint: str, folder: Path, grace_s: float) -> None:
        self.node = node
        self.own_address = node.host
        self._fingerprint, self._mark = fingerprint, secrets.token_hex(8)
        self._place = folder / MARK
        self._patience = grace_s + SETTLE_S
        self._log = get_logger("nodes")
        self._members: dict[int, Peer] = {}
        self._ends: dict[int, NodeEnd] = {}
        self._stopping = False
        # Torchrun's, which would complain in a traceback, after the wait for all nodes.
        _listen(node, node.port + 1).close()
        self._listener = _listen(node, node.port)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        write_text(self._place, self._mark)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Sam2vlmError):
            alike = error.exit_code in (EXIT_DATA, EXIT_SETTINGS)
            code = error.exit_code if alike else EXIT_ANOTHER_NODE
            self._tell({"end": asdict(Verdict(code, f"node 0: {error}", follows=True))})
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                key.data.close()
        self._listener.close()
        self._selector.close()
        self._place.unlink(missing_ok=True)

    def gather(self) -> None:
        """Wait until every node is there.

        Raises:
            RendezvousError: They did not all come in time.
            SettingsError: One has other inputs, settings or seed, or does not share the volume.
        """
        node, until = self.node, time.monotonic() + self.node.timeout_s
        self._log.info("waiting_for_nodes", nodes=node.count, seconds=node.timeout_s)
        while len(self._members) < node.count - 1:
            left = until - time.monotonic()
            if left <= 0:
                raise RendezvousError(self._missing())
            self._step(left)
        # From now on a node that comes belongs to the next start; it goes on knocking.
        self._selector.unregister(self._listener)
        self._listener.close()
        self._send_strangers_away()
        self.own_address = next(iter(self._members.values())).own_address
        self._log.info("all_nodes_there", nodes=node.count, address=self.own_address)

    def begin(self, message: dict[str, Any]) -> None:
        """Let the others begin, with what they have to know."""
        self._tell({"begin": message})

    @property
    def master_address(self) -> str:
        """Where torchrun's store is; without any name that would have to be resolved."""
        return self.own_address

    def must_stop(self, *, wait: float) -> bool:
        """Wait for news for a moment; return whether this node has to stop because another one has."""
        self._step(wait)
        return self._stopping

    def settle(self, verdict: Verdict, *, interrupted: bool) -> Verdict:
        """Wait for the others to end, tell each of them how, and return how this node does."""
        self._ends[0] = NodeEnd(verdict, interrupted)
        if verdict.exit_code != EXIT_OK:
            self._stop()
        until = time.monotonic() + self._patience
        while len(self._ends) < self.node.count and (left := until - time.monotonic()) > 0:
            self._step(left)
        ends = {node: self._ends.get(node, NodeEnd(None)) for node in range(self.node.count)}
        finals = ends_of_all(ends)
        for number, member in self._members.items():
            member.send({"end": asdict(finals[number])})
        return finals[0]

    def _step(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if key.fileobj is self._listener:
                self._accept()
            elif not key.data.gone:
                # Else its place was taken by one that was heard just before.
                self._hear(key.data)

    def _accept(self) -> None:
        # A visitor that has left again in the meantime.
        with contextlib.suppress(OSError):
            peer = Peer(self._listener.accept()[0])
            self._selector.register(peer, selectors.EVENT_READ, peer)
            peer.send({"mark": self._mark})

    def _hear(self, peer: Peer) -> None:
        number = next((number for number, member in self._members.items() if member is peer), None)
        for message in peer.receive():
            if number is None:
                number = self._welcome(peer, message)
            elif "verdict" in message:
                end = NodeEnd(Verdict(**message["verdict"]), bool(message["interrupted"]))
                self._ends[number] = end
                if end.verdict is not None and end.verdict.exit_code != EXIT_OK:
                    self._stop()
        if peer.gone:
            self._leave(peer, number)

    def _welcome(self, peer: Peer, message: dict[str, Any]) -> int | None:
        number = message.get("node")
        if not isinstance(number, int) or not 0 < number < self.node.count:
            peer.gone = True
            return None
        # One that was started again before the loss of the earlier one was seen.
        earlier = self._members.pop(number, None)
        if earlier is not None:
            self._forget(earlier)
        self._members[number] = peer
        if message.get("fingerprint") != self._fingerprint:
            raise SettingsError(
                f"node {number} was started with other inputs, settings or seed than node 0; start all with the same"
            )
        if message.get("mark") != self._mark:
            raise SettingsError(
                f"node {number} does not see what node 0 writes; all nodes need the run's folder on one volume, which "
                "Kubernetes calls ReadWriteMany",
                source=self._place.parent,
            )
        self._log.info("node_joined", node=number, address=peer.address)
        return number

    def _leave(self, peer: Peer, number: int | None) -> None:
        self._forget(peer)
        if number is None:
            return
        if self._listener.fileno() >= 0:
            # Nothing has begun; its next pod may come.
            del self._members[number]
        elif number not in self._ends:
            self._log.warning("node_lost", node=number)
            self._ends[number] = NodeEnd(None)
            self._stop()

    def _send_strangers_away(self) -> None:
        """Close what came but never said who it is: in the middle of the training it would take a node's place."""
        members = list(self._members.values())
        for key in list(self._selector.get_map().values()):
            if not any(key.data is member for member in members):
                self._forget(key.data)

    def _forget(self, peer: Peer) -> None:
        self._selector.unregister(peer)
        peer.close()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._tell({"stop": True})

    def _tell(self, message: dict[str, Any]) -> None:
        for member in self._members.values():
            member.send(message)

    def _missing(self) -> str:
        missing = ", ".join(str(number) for number in range(1, self.node.count) if number not in self._members)
        return (
            f"{len(self._members) + 1} of {self.node.count} nodes were there after {self.node.timeout_s:.0f} s, "
            f"without {missing}; give them room, or set SAM2VLM_RENDEZVOUS__TIMEOUT_SECONDS"
        )


def _listen(node: Node, port: int) -> socket.socket:
    """Listen where the others look: on this machine alone where they are on it, else on every interface."""
    loopback = node.host in ("localhost", "127.0.0.1")
    both = not loopback and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            ("127.0.0.1" if loopback else "", port),
            family=socket.AF_INET6 if both else socket.AF_INET,
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise SettingsError(
            "node 0 cannot listen there",
            source="SAM2VLM_RENDEZVOUS__PORT",
            expected="a free port, and the next one free for torchrun",
            found=f"{port}: {(error.strerror or str(error)).lower()}",
        ) from None
