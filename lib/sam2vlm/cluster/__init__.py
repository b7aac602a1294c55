"""A run on Kubernetes: install it, follow it, release its phases, fetch what it made.

Inside of the cluster: ``coordinator``, ``order``, ``observe``, ``api`` (the one module that imports ``kubernetes``),
``upload`` and ``installation``. On a person's machine, over ``helm`` and ``kubectl``: ``programs``, ``experiment``,
``install``, ``follow``, ``status``, ``fetch`` and ``images``. The chart owns every object's specification; nothing
here builds one.
"""

from sam2vlm.cluster.coordinator import PhaseFailedError, coordinate
from sam2vlm.cluster.order import PhaseState, Status, decide

__all__ = ["PhaseFailedError", "PhaseState", "Status", "coordinate", "decide"]
