"""Which network interface of this machine has an address."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys

__all__ = ["interface_of"]

SIOCGIFADDR = 0x8915
NAME_BYTES = 15


def interface_of(address: str) -> str | None:
    """Return the name of the interface with an IPv4 address; None where there is none, or where only Linux knows."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:NAME_BYTES])
            try:
                answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, request)
            except OSError:
                # It has no IPv4 address.
                continue
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None
