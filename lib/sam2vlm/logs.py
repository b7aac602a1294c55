"""What people and log collectors see: colours and progress bars on a terminal, one JSON line an event elsewhere.

Every event also goes to ``RUN/logs/<phase>-<rank>.jsonl``, because pods are deleted and their logs with them.
Values of keys that name a secret are never written.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import re
import sys
import time
from typing import IO, TYPE_CHECKING, Any

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["SECRET_KEYS", "configure_logging", "get_logger", "held_back", "progress", "track"]

#: Keys whose values are never written; settings that fail their check are told by the same rule.
SECRET_KEYS = re.compile(r"(token|secret|password|passwd|api_?key|credential)s?$", re.IGNORECASE)
EVENT_EVERY_S = 5.0


def get_logger(name: str) -> Any:
    """Return a structlog logger bound to a component's name."""
    return structlog.get_logger().bind(component=name)


def configure_logging(phase: str, *, folder: Path | None = None, rank: int = 0, speak: bool | None = None) -> None:
    """Set the process's logging up, once, at its edge.

    Args:
        phase: Bound to every event.
        folder: ``RUN/logs``; None writes no file.
        rank: The process's rank.
        speak: Whether to speak to the terminal or to standard output; None lets only rank 0.
    """
    _close_earlier_log()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path or label that the terminal's encoding lacks must not end the phase that names it.
        sys.stdout.reconfigure(errors="backslashreplace")
    stream = _open_log(folder, phase, rank) if folder is not None else None
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            _Writer(stream, speak=rank == 0 if speak is None else speak),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(phase=phase, rank=rank)


@contextlib.contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Keep this process's events off the screen, not out of the file, while another process has the first word.

    Yields:
        A function that shows what was held back, and lets everything through from then on; so does the block's end.
    """
    writers = [processor for processor in structlog.get_config()["processors"] if isinstance(processor, _Writer)]

    def let_go() -> None:
        for writer in writers:
            writer.let_go()

    for writer in writers:
        writer.hold()
    try:
        yield let_go
    finally:
        let_go()


@contextlib.contextmanager
def progress(total: int, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a loop is: a bar on a terminal, a JSON event every five seconds elsewhere.

    Args:
        total: How many units there are.
        what: What is being done ("reading frames").
        unit: The unit's name in the plural ("frames").

    Yields:
        A function that takes the number of units just done.
    """
    if _on_terminal():
        with _bar() as bar:
            task = bar.add_task(what, total=total, unit=unit)
            yield lambda steps: bar.update(task, advance=steps)
        return
    ticks = _EventTicks(total, what, unit)
    yield ticks.advance
    ticks.finish()


def track(items: Iterable[Any], what: str, unit: str, *, total: int) -> Iterator[Any]:
    """Iterate with progress; see :func:`progress`."""
    with progress(total, what, unit) as advance:
        for item in items:
            yield item
            advance(1)


class _EventTicks:
    """Progress as events, at most one every :data:`EVENT_EVERY_S` seconds and one at the end."""

    def __init__(self, total: int, what: str, unit: str) -> None:
        self.total, self.what, self.unit = total, what, unit
        self.done = 0
        self.began = self.told = time.monotonic()

    def advance(self, steps: int) -> None:
        self.done += steps
        if time.monotonic() - self.told >= EVENT_EVERY_S:
            self._tell()

    def finish(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self.told = time.monotonic()
        rate = self.done / max(self.told - self.began, 1e-9)
        left = (self.total - self.done) / rate if rate > 0 else None
        get_logger("progress").info(
            self.what,
            done=self.done,
            total=self.total,
            unit=self.unit,
            per_second=round(rate, 2),
            seconds_left=None if left is None else round(left, 1),
        )


class _Writer:
    """The last processor: renders one event for the screen and one for the file."""

    def __init__(self, stream: IO[str] | None, *, speak: bool) -> None:
        self._stream = stream
        self._speak = speak
        self._held: list[str] | None = None
        self._json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        self._console = structlog.dev.ConsoleRenderer(colors=True, pad_event_to=24) if _on_terminal() else None

        if stream is not None:
            atexit.register(stream.close)

    def close(self) -> None:
        """Close the file; later events of this writer go to the screen only."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            atexit.unregister(stream.close)
            stream.close()

    def hold(self) -> None:
        """Keep what is to be shown until :meth:`let_go`."""
        self._held = []

    def let_go(self) -> None:
        """Show what was kept."""
        held, self._held = self._held or [], None
        for shown in held:
            self._say(shown)

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        line = str(self._json(logger, method, dict(event)))
        self._keep(line)
        if self._speak:
            self._say(line if self._console is None else self._for_people(logger, method, event))
        return line

    def _say(self, shown: str) -> None:
        if self._held is not None:
            self._held.append(shown)
            return
        try:
            print(shown, flush=True)  # noqa: T201  standard output is what kubectl logs shows
        except OSError:
            # The reader has left (`| head`) or its disk is full: that must not cost the work; the file has the event.
            self._speak = False
            _discard_output()

    def _keep(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
        except OSError:
            # A full volume must not hide the sentence that says so; standard output still has every event.
            with contextlib.suppress(OSError):
                self.close()

    def _for_people(self, logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        assert self._console is not None  # noqa: S101  told to mypy; the caller asked
        hidden = {"rank", "component"}
        shown = {key: value for key, value in event.items() if key not in hidden}
        shown["timestamp"] = str(shown.get("timestamp", ""))[11:19]
        return str(self._console(logger, method, shown))


def _on_terminal() -> bool:
    # None where the process was started with standard output closed.
    return sys.stdout is not None and sys.stdout.isatty()


def _discard_output() -> None:
    """Send standard output nowhere, also what is left in its buffer: flushed at the end, it would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _without_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: "***" if SECRET_KEYS.search(str(key)) else value for key, value in event.items()}


def _close_earlier_log() -> None:
    # A job configures twice: before its settings are known, and then with the run's folder.
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Writer):
            processor.close()


def _open_log(folder: Path, phase: str, rank: int) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    # Line buffered: a kill loses no whole line.
    return (folder / f"{phase}-{rank}.jsonl").open("a", encoding="utf-8", errors="backslashreplace", buffering=1)


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(),
        transient=False,
    )


class _Rate(TextColumn):
    """Units a second, empty until there is a rate."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Any) -> Any:
        from rich.text import Text

        return Text("" if task.speed is None else f"{task.speed:.1f}/s", style="cyan")
