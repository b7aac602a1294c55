"""Attempts at a phase that start in a second: each one is forked from an interpreter that has its libraries loaded.

What is forked is the phase itself (training, where nothing else is said), from its lock to its manifest, in a process
of its own that the kernel can kill. Only three things differ from ``python -m jobs.<phase>``: imports are inherited, no
plan is made, and training's ranks are forked instead of being started by torchrun; ``test_train_resume.py`` kills the
whole tree, torchrun included.

As a program it reads one JSON object of environment variables a line, forks, and answers with the child's process id;
at the next line, an empty one, it answers with the child's status as ``os.waitpid`` gives it.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.ports import free_port
from tests.training_runs import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: Kill the attempt before its n-th change of a file below the train phase's folder, counted from 1.
KILL_AT = "KILL_AT_OPERATION"
#: The phase to attempt.
PHASE = "FORKED_PHASE"
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}


class ForkServer:
    """The interpreter that attempts are forked from."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_training"],
            cwd=CHECKOUT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def attempt(
        self,
        environment: Mapping[str, str],
        *,
        until: Callable[[], bool] | None = None,
        delay: float = 0.0,
        number: signal.Signals = signal.SIGKILL,
    ) -> int:
        """Fork an attempt and kill it at a moment.

        Args:
            environment: The attempt's.
            until: What has to have happened before the kill; None lets it run to its end.
            delay: Seconds between that and the kill.
            number: The signal.

        Returns:
            How it ended: its exit code, or minus the signal that killed it.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dict(environment)) + "\n")
        self._process.stdin.flush()
        attempt = os.pidfd_open(int(self._answer()))
        try:
            while not (_has_ended(attempt, wait=0.002) or until is None or until()):
                pass
            if until is not None and not _has_ended(attempt, wait=delay):
                signal.pidfd_send_signal(attempt, number)
        finally:
            self._release(attempt)
        return os.waitstatus_to_exitcode(int(self._answer()))

    def close(self) -> None:
        """End the interpreter."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def _release(self, attempt: int) -> None:
        os.close(attempt)
        assert self._process.stdin is not None
        # Reaped only now, so that its process id could not become another's meanwhile.
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def serve() -> None:
    """Fork attempts as they are asked for."""
    answers = os.fdopen(os.dup(1), "w")
    # Libraries greet on standard output while they are imported.
    _be_silent()
    # What a rank imports, so that no attempt has to; nothing here starts a thread, which a fork would lose.
    import deepspeed  # noqa: F401
    import matplotlib.pyplot as plt  # noqa: F401
    import peft  # noqa: F401
    from transformers import LlavaForConditionalGeneration, LlavaProcessor  # noqa: F401  found by their names only

    import jobs.train.__main__
    import jobs.train.run
    import jobs.train.worker  # noqa: F401

    print("ready", file=answers, flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _attempt(json.loads(line))
        print(child, file=answers, flush=True)
        sys.stdin.readline()
        print(os.waitpid(child, 0)[1], file=answers, flush=True)


def _has_ended(attempt: int, *, wait: float) -> bool:
    return bool(select.select([attempt], [], [], wait)[0])


def _attempt(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    if KILL_AT in environment:
        _kill_at(int(environment[KILL_AT]), below=f"{environment['SAM2VLM_RUN']}/train/")
    from jobs.train import attempt

    phase = importlib.import_module(f"jobs.{environment.get(PHASE, 'train')}.__main__")
    attempt.launch = _launch_here
    try:
        phase.run_job(phase.PHASE, phase.work)
    except SystemExit as end:
        # As a rank leaves: without the interpreter's own end.
        os._exit(int(end.code or 0))


def _launch_here(
    *,
    processes: int,
    threads: int,
    grace_seconds: int,
    scratch: Path,
    stderr: Path,
    arguments: Mapping[str, Any],
    planned: Callable[[], None],
    others: None,
) -> Any:
    from jobs.train import verdicts as told
    from jobs.train import worker

    del threads, grace_seconds, stderr, planned, others
    verdicts = scratch / "verdicts"
    verdicts.mkdir()
    given = {**arguments, "verdicts": str(verdicts), "launcher": os.getppid(), "planned": True}
    sys.argv = ["worker", json.dumps(given)]
    os.environ.update({"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())})
    children = []
    for rank in range(1, processes):
        child = os.fork()
        if child == 0:
            os.environ.update({"RANK": str(rank), "LOCAL_RANK": str(rank)})
            os._exit(worker.main())
        children.append(child)
    os.environ.update({"RANK": "0", "LOCAL_RANK": "0"})
    worker.main()
    for child in children:
        os.waitpid(child, 0)
    return told.judge(told.read_verdicts(verdicts), processes=processes, interrupted=False, complaint="in this process")


def _kill_at(number: int, *, below: str) -> None:
    seen = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (event in CHANGES or writing) and str(arguments[0]).startswith(below):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _be_silent() -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)


if __name__ == "__main__":
    serve()
