"""What every phase's process does around its work: logging, exit codes, last words."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.artifacts import RunLayout, digest_of_file
from sam2vlm.errors import (
    EXIT_OK,
    EXIT_UNFORESEEN,
    InterruptedRunError,
    Sam2vlmError,
    SettingsError,
    from_library_error,
    from_os_error,
)
from sam2vlm.logs import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["last_words", "open_run", "run_job"]

TERMINATION_LOG = "SAM2VLM_TERMINATION_LOG"
TERMINATION_LIMIT_BYTES = 4000  # Kubernetes keeps 4,096


class _Stopped(BaseException):
    """SIGTERM came. Libraries catch every Exception here and there, and would work on, so this is none."""


def run_job(phase: str, work: Callable[[], str], *, stray: Sequence[str] = ()) -> NoReturn:
    """Run a phase and leave the process with the exit code that fits its end.

    Args:
        phase: The phase's name, on every log line.
        stray: Command-line arguments of a process that takes none; work that they were meant to change is not begun.
        work: Reads the settings, does the work, returns the last words (one line for the termination
            message; for a finished phase JSON with the manifest's digest).
    """
    configure_logging(phase)
    # OpenMP's threads spin while they wait, which starves whoever shares the cores; read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_guarded(phase, work if not stray else lambda: _refuse(stray)))


def _refuse(stray: Sequence[str]) -> NoReturn:
    raise SettingsError(
        "a phase takes no arguments, only SAM2VLM_ variables; `sam2vlm settings` lists them",
        source="the command line",
        found=" ".join(stray),
    )


def open_run(run: Path, phase: str, *, rank: int = 0, speak: bool | None = None) -> RunLayout:
    """Make the run's folder where it is missing, and log into it from here on.

    Args:
        run: ``SAM2VLM_RUN``.
        phase: The phase's name.
        rank: The process's rank; every one has a log of its own.
        speak: Whether it shows its events, too; None lets only rank 0.

    Raises:
        SettingsError: The folder cannot be made or written to there, whatever the input.
        InterruptedRunError: The volume is full or gone for now.
    """
    layout = RunLayout(run)
    try:
        configure_logging(phase, folder=layout.logs, rank=rank, speak=speak)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE):
            raise from_os_error(error, doing="opening the run's folder") from None
        raise SettingsError(
            "no run can be kept there",
            source="SAM2VLM_RUN",
            expected="a folder that can be written to",
            found=f"{run}: {(error.strerror or str(error)).lower()}",
        ) from None
    except ValueError as error:
        # A null byte, or half a character that JSON can spell and no file system can.
        raise SettingsError("is no name of a folder", source="SAM2VLM_RUN", found=error) from None
    return layout


def last_words(layout: RunLayout, phase: str, *, already: bool) -> str:
    """Return a finished phase's last words: one JSON line for the termination message.

    Args:
        layout: The run's paths.
        phase: The phase's name.
        already: Whether it was finished before this process started.

    Returns:
        ``phase``, ``status`` (``done`` or ``already done``) and ``manifest``, the SHA-256 of its manifest, by
        which the coordinator knows the artifact.
    """
    status = "already done" if already else "done"
    return json.dumps({"phase": phase, "status": status, "manifest": digest_of_file(layout.manifest(phase))})


def _guarded(phase: str, work: Callable[[], str]) -> int:
    try:
        words = work()
    except Sam2vlmError as error:
        return _fail(phase, error)
    except OSError as error:
        return _fail(phase, from_os_error(error, doing=f"running {phase}"))
    except (_Stopped, KeyboardInterrupt) as stop:
        return _fail(
            phase, InterruptedRunError(f"{str(stop) or 'interrupted from the keyboard'}; start it again to go on")
        )
    except MemoryError:
        return _fail(phase, InterruptedRunError("out of memory; give the phase more, or lower its batch size"))
    except Exception as error:  # noqa: BLE001  the edge of the process: an unforeseen error becomes one event
        return _fail_unforeseen(phase, error)
    _last_words(words)
    return EXIT_OK


def _fail_unforeseen(phase: str, error: Exception) -> int:
    known = from_library_error(error, doing=f"running {phase}")
    if known is not None:
        return _fail(phase, known)
    # The traceback is a field of the one JSON event, not free text after it.
    told = f"{type(error).__name__}: {error}"
    get_logger(phase).error("failed", error=told, traceback="".join(traceback.format_exception(error)))
    _last_words(told)
    return EXIT_UNFORESEEN


def _fail(phase: str, error: Sam2vlmError) -> int:
    # A logger keeps the outputs that it was made with, and the run's own log came after the phase's beginning.
    get_logger(phase).error("failed", error=str(error), exit_code=error.exit_code)
    _last_words(str(error))
    return error.exit_code


def _last_words(text: str) -> None:
    """Leave one line where kubectl describe and the coordinator find it."""
    path = os.environ.get(TERMINATION_LOG)
    if path:
        # A missing or read-only termination log must not turn a finished phase into a failed one.
        with contextlib.suppress(OSError):
            Path(path).write_bytes(text.encode()[:TERMINATION_LIMIT_BYTES])


def _interrupt(_signal: int, _frame: Any) -> None:
    # A second one would cut the clearing up short, or kill the interpreter at its end: no exit code, so no resume.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A handled SIGTERM must not end with 0: the Job would count as complete (KEP-3329).
    raise _Stopped("stopped by SIGTERM")
