"""``sam2vlm prepare|train|evaluate|export``: the same process as ``python -m jobs.<phase>``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

__all__ = ["evaluate", "export", "prepare", "train"]


def prepare() -> NoReturn:
    """Read an export, check it, write the dataset, its splits and the report."""
    _become("prepare")


def train() -> NoReturn:
    """Fine-tune the preset's model on the prepared dataset; a half-finished run goes on."""
    _become("train")


def evaluate() -> NoReturn:
    """Score the base and the tuned model on the test split."""
    _become("evaluate")


def export() -> NoReturn:
    """Package adapter and merged model, and check what was written."""
    _become("export")


def _become(phase: str) -> NoReturn:
    # Not a child process: signals reach the phase itself, and its exit code is this command's.
    os.execv(sys.executable, [sys.executable, "-m", f"jobs.{phase}"])  # noqa: S606  no shell wanted
