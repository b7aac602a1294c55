"""Work beside the main process, in forked ones: Python's threads would do it one after the other.

A forked process has the frames and archives of its parent without a copy; what it finds out comes back through a pipe,
whose few kilobytes are also what keeps it from running ahead. Where forking is not safe (macOS) the same work is done
in place.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sam2vlm.errors import InterruptedRunError
from sam2vlm.orphans import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection

__all__ = ["Beside", "beside", "can_fork", "cores", "spread"]

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough items that a pipe's message costs nothing beside them, few enough that no process is left without work.
_CHUNK = 16
_DONE, _FAILED = True, False
_STOPS = (signal.SIGTERM, signal.SIGINT)


def cores() -> int:
    """Return how many processor cores this process may use; a container is often given fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def can_fork() -> bool:
    """Tell whether work can be done in forked processes here: on Linux, by a process that may have children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def spread(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, at_once: int = _CHUNK
) -> Iterator[Result]:
    """Yield ``function(item)`` of every item, in their order.

    Args:
        function: Called in the workers; what it returns is pickled.
        items: Read in the workers, each by the one that works on it.
        workers: Processes; with one, or where it is not worth a process, all is done in place.
        at_once: Items that a process takes together; less for a few that take long.

    Raises:
        Exception: What the function raises for an item, once the results before it are taken.
        InterruptedRunError: A worker was killed.
    """
    chunks = range(0, len(items), at_once)
    workers = min(workers, len(chunks) // 2)
    if workers < 2 or not can_fork():  # noqa: PLR2004  one worker is none
        yield from map(function, items)
        return

    def share(worker: int) -> Iterator[list[Result]]:
        for begin in chunks[worker::workers]:
            yield [function(items[place]) for place in range(begin, min(begin + at_once, len(items)))]

    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(_Process(share(worker))) for worker in range(workers)]
        for number in range(len(chunks)):
            yield from running[number % workers].receive()


class Beside(Generic[Result]):
    """A function's work in another process; see :func:`beside`."""

    def __init__(self, process: _Process) -> None:
        self._process = process

    def check(self) -> None:
        """Raise what the function raised, where it has done so already; costs a few microseconds."""
        if self._process.failed():
            self.result()

    def result(self) -> Result:
        """Wait for what the function returns.

        Raises:
            Exception: What it raised.
            InterruptedRunError: Its process was killed.
        """
        returned: Result = self._process.receive()
        return returned


@contextlib.contextmanager
def beside(function: Callable[[], Result]) -> Iterator[Beside[Result]]:
    """Run a function in a forked process while the block runs; the process is gone when the block is left.

    Args:
        function: What it returns is pickled; it is asked for by :meth:`Beside.result`.
    """

    def once() -> Iterator[Result]:
        yield function()

    with _Process(once()) as process:
        yield Beside(process)


class _Process:
    """A forked process that sends what an iterator yields, up to its end or its first error."""

    def __init__(self, results: Iterable[Any]) -> None:
        forking = multiprocessing.get_context("fork")
        self._here, there = forking.Pipe(duplex=False)
        # A daemon, so that it is ended even where nobody leaves the block.
        self._process = forking.Process(target=_serve, args=(results, there, os.getpid()), daemon=True)
        self._message: tuple[bool, Any] | None = None
        _free_unused_memory()
        # Until the process has handlers of its own: the parent's would raise there, in the middle of the interpreter's
        # own work, which swallows it. The process would then work on, and its parent wait for it at the block's end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        # The collector would look at everything that was there before, and so copy its pages into every process.
        gc.freeze()
        try:
            self._process.start()
        finally:
            gc.unfreeze()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        there.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.join()
        self._here.close()

    def failed(self) -> bool:
        """Tell whether the next message is an error; does not wait for one."""
        if self._message is None and self._here.poll():
            self._message = self._next()
        return self._message is not None and self._message[0] is _FAILED

    def receive(self) -> Any:
        """Wait for the next result."""
        (state, value), self._message = self._message or self._next(), None
        if state is _FAILED:
            raise value
        return value

    def _next(self) -> tuple[bool, Any]:
        try:
            message: tuple[bool, Any] = self._here.recv()
        except (EOFError, OSError):
            # The second one where it was killed in the middle of a message.
            self._process.join()
            killed = f"signal {-code}" if (code := self._process.exitcode or 0) < 0 else f"exit code {code}"
            lost = InterruptedRunError(
                "one of the phase's own processes ended before its work did; where memory ran out, give the phase more",
                expected="results",
                found=killed,
            )
            return _FAILED, lost
        return message


def _free_unused_memory() -> None:
    """Give back what glibc keeps of freed memory: a forked process and its parent would each fill their own copy."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _serve(results: Iterable[Any], there: Connection, parent: int) -> None:
    """Send the results from within the forked process."""
    # Ctrl-C reaches every process of a terminal; the parent alone decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    die_with_parent(launcher=parent)
    try:
        for result in results:
            there.send((_DONE, result))
    except Exception as error:  # noqa: BLE001  it is raised again where the result is taken
        # A traceback does not travel; as a note it is told with an error that nobody foresaw.
        error.add_note("".join(traceback.format_exception(error)))
        there.send((_FAILED, _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent: itself, or where it does not survive that, one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  made in the line itself
    except Exception:  # noqa: BLE001  whatever a library's error needs that is not there
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.__notes__ = error.__notes__
        return told
    return error
