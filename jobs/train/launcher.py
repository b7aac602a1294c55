"""Start the training processes under torchrun, pass signals on, and learn from the ranks how it ended.

torchrun itself ends with 1 whatever a rank's exit code was, so every rank leaves a verdict in a file.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import EXIT_DATA, EXIT_OK, EXIT_SETTINGS, EXIT_TEMPORARY, EXIT_UNFORESEEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Verdict", "die_with_parent", "judge", "launch", "leave_verdict"]

PR_SET_PDEATHSIG = 1
STDERR_TAIL_BYTES = 4000
# In torchrun's report of how its processes ended.
KILLED_BY = re.compile(r"exitcode\s*: -\d+ \(pid: \d+\)\s+\((SIG[A-Z0-9]+)\)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rank ended.

    Attributes:
        exit_code: Its own.
        message: The sentence that goes with it.
        follows: Whether it ended because another one did, so that the cause is to be asked there.
    """

    exit_code: int
    message: str
    follows: bool = False


def launch(
    *, processes: int, threads: int, grace_seconds: int, scratch: Path, stderr: Path, arguments: Mapping[str, Any]
) -> Verdict:
    """Run the ranks to their end.

    Args:
        processes: How many ranks on this machine.
        threads: CPU threads of each.
        grace_seconds: How long the ranks may take to leave after SIGTERM.
        scratch: An empty folder, for the ranks' verdicts among others.
        stderr: Where torchrun and the libraries complain; our own events go to standard output.
        arguments: Of ``jobs.train.worker``, as JSON values; it gets ``verdicts``, a folder, with them.
    """
    verdicts = scratch / "verdicts"
    verdicts.mkdir()
    launcher = os.getpid()
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"),
        *("--nproc-per-node", str(processes), "--shutdown-timeout", str(grace_seconds)),
        *("-m", "jobs.train.worker", json.dumps({**arguments, "verdicts": str(verdicts), "launcher": launcher})),
    ]
    with stderr.open("ab") as stream:
        began = stream.tell()
        process = subprocess.Popen(
            command,
            env=_environment(threads, scratch=scratch),
            stderr=stream,
            # A terminal sends its interrupt to the whole group; here it comes through us alone, once.
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(launcher=launcher),  # noqa: PLW1509  this process has one thread
        )
        with _signals_passed_to(process) as received:
            process.wait()
    complaint = stderr.read_bytes()[began:][-STDERR_TAIL_BYTES:].decode(errors="replace")
    return judge(_read_verdicts(verdicts), processes=processes, interrupted=bool(received), complaint=complaint)


def judge(verdicts: Sequence[Verdict], *, processes: int, interrupted: bool, complaint: str) -> Verdict:
    """Make one verdict of the ranks'.

    A rank that fails takes the others with it, so theirs say little: data and settings come first, then an
    unforeseen error, then an interruption such as a full volume. A rank without a verdict was killed or crashed,
    unless we were told to stop.

    Args:
        verdicts: Those that were left, by rank.
        processes: How many there should be.
        interrupted: Whether this process was told to stop.
        complaint: The end of what was written to standard error.
    """
    causes = [verdict for verdict in verdicts if not verdict.follows]
    for code in (EXIT_DATA, EXIT_SETTINGS, EXIT_UNFORESEEN, EXIT_TEMPORARY):
        for verdict in causes:
            if verdict.exit_code == code:
                return verdict
    if len(verdicts) == processes:
        return next((verdict for verdict in verdicts if verdict.exit_code != EXIT_OK), verdicts[0])
    if interrupted:
        return Verdict(EXIT_TEMPORARY, "stopped before the next checkpoint; start it again to go on from the last one")
    return Verdict(EXIT_UNFORESEEN, _obituary(processes - len(verdicts), processes, complaint))


def _obituary(lost: int, processes: int, complaint: str) -> str:
    dead = f"{lost} of {processes} training processes died"
    signals = sorted(set(KILLED_BY.findall(complaint)))
    if not signals:
        return f"{dead} without a word: {complaint}"
    # The rest of torchrun's report stays in the log.
    return (
        f"{dead} of {' and '.join(signals)} (logs/train-stderr.log); start it again to go on from the last checkpoint"
    )


def leave_verdict(folder: Path, rank: int, verdict: Verdict) -> None:
    """Write a rank's verdict; the rename makes sure that no half of one is read."""
    partial = folder / f".{rank}"
    partial.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    partial.rename(folder / f"{rank}.json")


def die_with_parent(*, launcher: int) -> None:
    """Have the kernel kill this process when its parent dies, and leave at once where that has happened already.

    Otherwise ranks would go on writing into the run's folder after their launcher was killed, while the next one
    is at work there; or wait half an hour for a rendezvous that is gone. Only Linux knows this; elsewhere nothing is
    done.

    Args:
        launcher: The launcher's process id; it is this process's parent (torchrun) or its parent's (a rank).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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


def _read_verdicts(folder: Path) -> list[Verdict]:
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    return [Verdict(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def _environment(threads: int, *, scratch: Path) -> dict[str, str]:
    environment = {
        # Matplotlib keeps a list of fonts in the home folder, which a pod may not write to.
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Threads that wait spin by default; where the cores are shared or limited that made training five times
        # slower (7 against 38 samples a CPU second, measured beside a bare loop, benchmarks/training/bare.py).
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "LOGLEVEL": "ERROR",
    }
    if sys.platform == "linux" and Path("/sys/class/net/lo").exists():
        # All ranks are on this machine; the host's name may not resolve in a pod.
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return environment


@contextlib.contextmanager
def _signals_passed_to(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    received: list[int] = []

    def pass_on(number: int, _frame: Any) -> None:
        # Once: a second one would cut short the time that torchrun gives the ranks to save.
        if not received:
            process.send_signal(signal.SIGTERM)
        received.append(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
