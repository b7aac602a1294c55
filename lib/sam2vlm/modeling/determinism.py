"""The same inputs, settings and seed give the same bytes: threads, random generators, algorithms, and quiet."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["make_deterministic", "quiet_libraries", "untouched_randomness"]

LOUD = ("DeepSpeed", "accelerate", "datasets", "deepspeed", "filelock", "peft", "torch", "transformers")


def make_deterministic(seed: int, *, threads: int) -> None:
    """Fix what decides the last digit.

    Sums over more threads are added in another order, so the number of threads is a setting and not what the
    machine happens to have.

    Args:
        seed: Of Python's, NumPy's and torch's generators.
        threads: CPU threads of this rank.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  libraries draw from NumPy's global generator
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    # Some CUDA kernels have no deterministic form: a warning is better than no training.
    torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003  torch's own signature


@contextlib.contextmanager
def untouched_randomness() -> Iterator[None]:
    """Leave every random generator as it was, whatever is drawn inside, so that what comes behind does not change."""
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002  as above
    try:
        # The one GPU that this process works on; asking for the others' generators would wake them up.
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        random.setstate(own)
        np.random.set_state(numpys)  # noqa: NPY002  as above


def quiet_libraries() -> None:
    """Leave the log to our own events: libraries speak only where something has failed."""
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    # Read when datasets is imported; importing it here would cost those who do not need it a second.
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()
    import transformers

    library: Any = transformers.logging  # its functions carry no types
    library.set_verbosity_error()
    library.disable_progress_bar()
