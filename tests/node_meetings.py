"""Nodes that meet over real connections, for the tests of several nodes."""

from __future__ import annotations

import contextlib
import threading

from jobs.train.nodes import Node
from jobs.train.other_node import join
from jobs.train.rendezvous import FirstNode
from sam2vlm.errors import RendezvousError
from tests.ports import free_port


class Meeting:
    """Nodes in threads of one process, over real connections."""

    def __init__(self, folder, count=2, timeout_s=20.0):
        self.folder, self.port, self.count, self.timeout_s = folder, free_port(), count, timeout_s

    def node(self, index):
        return Node(index, self.count, "127.0.0.1", self.port, self.timeout_s)

    def first(self):
        return FirstNode(self.node(0), fingerprint="f", folder=self.folder, grace_s=1)

    def other(self, index, act=lambda found: found, *, fingerprint="f", folder=None):
        """Join in a thread and act; the result comes when the thread is joined."""
        result = []

        def run():
            try:
                found = join(
                    self.node(index), fingerprint=fingerprint, folder=folder or self.folder, finished=lambda: False
                )
                with found[0] if isinstance(found, tuple) else contextlib.nullcontext():
                    result.append(act(found))
            except RendezvousError as error:
                result.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def ended():
            thread.join(30)
            return result[0]

        return ended
