"""A connection between the launchers of two nodes: one JSON object a line, in both directions."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

__all__ = ["Peer"]

# More than any message; a stranger that sends more is cut off.
LIMIT_BYTES = 1 << 20
SEND_TIMEOUT_S = 10.0
# A machine that loses its power says nothing: it is given up after 10 + 3 x 10 seconds without an answer.
KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 40_000))


class Peer:
    """The other end of a connection.

    Args:
        connection: Connected.

    Attributes:
        own_address: By which the other end reaches this one.
        address: By which this end reaches the other one.
        gone: Whether nothing more will come from it.

    Raises:
        OSError: It has gone already.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        # Now, because the system forgets them when the other end breaks the connection off.
        self.own_address, self.address = _plain(connection.getsockname()[0]), _plain(connection.getpeername()[0])
        self.gone = False
        self._buffer = b""
        connection.settimeout(SEND_TIMEOUT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE:
            # The names are Linux's.
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self.connection.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; to one that is gone it is lost, which the next reading tells."""
        with contextlib.suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that have come, whole ones only; :attr:`gone` is set where no more will come."""
        try:
            data = self.connection.recv(1 << 16)
        except OSError:
            data = b""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        self.gone = not data or len(self._buffer) > LIMIT_BYTES
        messages = []
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if not isinstance(message, dict):
                # Whoever it is, it is none of ours.
                self.gone = True
                break
            messages.append(message)
        return messages

    def close(self) -> None:
        """Close the connection, which the other end sees at once."""
        self.gone = True
        self.connection.close()


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")
