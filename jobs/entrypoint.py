"""What every phase's process does around its work: logging, exit codes, last words."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.errors import EXIT_OK, EXIT_UNFORESEEN, InterruptedRunError, Sam2vlmError, from_os_error
from sam2vlm.logs import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_job"]

TERMINATION_LOG = "SAM2VLM_TERMINATION_LOG"
TERMINATION_LIMIT_BYTES = 4000  # Kubernetes keeps 4,096


def run_job(phase: str, work: Callable[[], str]) -> NoReturn:
    """Run a phase and leave the process with the exit code that fits its end.

    Args:
        phase: The phase's name, on every log line.
        work: Reads the settings, does the work, returns the last words (one line for the termination
            message; for a finished phase JSON with the manifest's digest).
    """
    configure_logging(phase)
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_guarded(phase, work))


def _guarded(phase: str, work: Callable[[], str]) -> int:
    log = get_logger(phase)
    try:
        words = work()
    except Sam2vlmError as error:
        return _fail(log, error)
    except OSError as error:
        return _fail(log, from_os_error(error, doing=f"running {phase}"))
    except KeyboardInterrupt:
        return _fail(log, InterruptedRunError("interrupted from the keyboard; start it again to go on"))
    except MemoryError:
        return _fail(log, InterruptedRunError("out of memory; give the phase more, or lower its batch size"))
    except Exception as error:  # noqa: BLE001  the edge of the process: an unforeseen error becomes one event
        log.error(  # noqa: TRY400  the traceback is a field of the one JSON event, not free text after it
            "failed", error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()
        )
        _last_words(f"{type(error).__name__}: {error}")
        return EXIT_UNFORESEEN
    _last_words(words)
    return EXIT_OK


def _fail(log: Any, error: Sam2vlmError) -> int:
    log.error("failed", error=str(error), exit_code=error.exit_code)
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
    # A handled SIGTERM must not end with 0: the Job would count as complete (KEP-3329).
    raise InterruptedRunError("stopped by SIGTERM; start it again to go on")
