"""No process of ours outlives the one that started it: it would go on writing, and hold locks, beside the next one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(*, launcher: int) -> None:
    """Have the kernel kill this process when its parent dies, and leave at once where that has happened already.

    Otherwise ranks would go on writing into the run's folder after their launcher was killed, while the next one
    is at work there; or wait half an hour for a rendezvous that is gone. Only Linux knows this; elsewhere nothing is
    done.

    Args:
        launcher: The launcher's process id; it is this process's parent (torchrun, or a forked worker) or its
            parent's (a rank).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A rank takes seconds to start; a parent that died before the call above sends no signal any more.
    parent = os.getppid()
    if launcher not in {parent, _parent_of(parent)}:
        os._exit(128 + signal.SIGKILL)


def _parent_of(process: int) -> int | None:
    try:
        # The name before it may hold blanks and brackets; behind its closing one come the state and the parent.
        return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None
