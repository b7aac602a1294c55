"""Start the training processes under torchrun, pass signals on, and learn from the ranks how it ended.

torchrun itself ends with 1 whatever a rank's exit code was, so every rank leaves a verdict in a file. With several
nodes every one has a launcher and a torchrun; ``rendezvous.py`` is how the launchers know of each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from jobs.train.network import interface_of
from jobs.train.verdicts import PLANNED, Verdict, judge, read_verdicts
from sam2vlm.errors import EXIT_TEMPORARY, EXIT_UNFORESEEN
from sam2vlm.orphans import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jobs.train.nodes import Node

__all__ = ["OtherLaunchers", "launch", "tell_plan"]

STDERR_TAIL_BYTES = 4000
# How often a running training is looked at: for the plan's word, and for news of other nodes.
LOOK_EVERY_S = 0.2


class OtherLaunchers(Protocol):
    """The launchers of the other nodes, as this one's sees them.

    Attributes:
        node: This node.
        master_address: Where node 0's torchrun has its store.
        own_address: By which the others reach this node.
    """

    node: Node

    @property
    def master_address(self) -> str: ...  # noqa: D102

    @property
    def own_address(self) -> str: ...  # noqa: D102

    def must_stop(self, *, wait: float) -> bool:
        """Wait for news for some seconds; return whether this node has to stop because another one has."""

    def settle(self, verdict: Verdict, *, interrupted: bool) -> Verdict:
        """Exchange how the nodes ended; return how this one is to end."""


def launch(
    *,
    processes: int,
    threads: int,
    grace_seconds: int,
    scratch: Path,
    stderr: Path,
    arguments: Mapping[str, Any],
    planned: Callable[[], None] = lambda: None,
    others: OtherLaunchers | None = None,
) -> Verdict:
    """Run the ranks to their end.

    Args:
        processes: How many ranks on this machine.
        threads: CPU threads of each.
        grace_seconds: How long the ranks may take to leave after SIGTERM.
        scratch: An empty folder, for the ranks' verdicts among others.
        stderr: Where torchrun and the libraries complain; our own events go to standard output.
        arguments: Of ``jobs.train.worker``, as JSON values; it gets ``verdicts``, a folder, with them.
        planned: Called once, when the first rank has told the plan.
        others: The other nodes; None where there are none.
    """
    command = [
        *(sys.executable, "-m", "torch.distributed.run", *_meeting(others)),
        *("--nproc-per-node", str(processes), "--shutdown-timeout", str(grace_seconds)),
    ]
    return _run(
        command,
        processes=processes,
        environment=_environment(threads, scratch=scratch, others=others),
        scratch=scratch,
        stderr=stderr,
        arguments=arguments,
        planned=planned,
        others=others,
    )


def tell_plan(*, rank: int, threads: int, scratch: Path, stderr: Path, arguments: Mapping[str, Any]) -> Verdict:
    """Have a process of its own tell the plan, for a node that is going to wait for others before its ranks start.

    Args:
        rank: The node's first.
        threads: As for :func:`launch`, and so are the others.
        scratch: An empty folder.
        stderr: Where the libraries complain.
        arguments: Of ``jobs.train.worker``.
    """
    return _run(
        [sys.executable],
        processes=1,
        environment={**_environment(threads, scratch=scratch), "RANK": str(rank), "LOCAL_RANK": "0"},
        scratch=scratch,
        stderr=stderr,
        arguments={**arguments, "only_plan": True},
    )


def _meeting(others: OtherLaunchers | None) -> list[str]:
    """Return torchrun's arguments of how its nodes meet: ranks are in the order of the nodes."""
    if others is None:
        return ["--standalone", "--local-addr", "127.0.0.1"]
    node = others.node
    return [
        *("--nnodes", str(node.count), "--node-rank", str(node.index), "--max-restarts", "0"),
        *("--master-addr", others.master_address, "--master-port", str(node.port + 1)),
        *("--local-addr", others.own_address, "--rdzv-conf", f"timeout={node.timeout_s:.0f}"),
    ]


def _run(
    command: Sequence[str],
    *,
    processes: int,
    environment: Mapping[str, str],
    scratch: Path,
    stderr: Path,
    arguments: Mapping[str, Any],
    planned: Callable[[], None] = lambda: None,
    others: OtherLaunchers | None = None,
) -> Verdict:
    verdicts = scratch / "verdicts"
    verdicts.mkdir()
    launcher = os.getpid()
    told = json.dumps({**arguments, "verdicts": str(verdicts), "launcher": launcher})
    with stderr.open("ab") as stream:
        began = stream.tell()
        process = subprocess.Popen(
            [*command, "-m", "jobs.train.worker", told],
            env=environment,
            stderr=stream,
            # A terminal sends its interrupt to the whole group; here it comes through us alone, once.
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(launcher=launcher),  # noqa: PLW1509  this process has one thread
        )
        with _signals_passed_to(process) as received:
            if others is None:
                _wait_for_plan(process, verdicts / PLANNED, planned)
            stopped = others is not None and _watch(process, others)
            process.wait()
    complaint = stderr.read_bytes()[began:][-STDERR_TAIL_BYTES:].decode(errors="replace")
    told_to = bool(received)
    verdict = judge(
        read_verdicts(verdicts),
        processes=processes,
        interrupted=told_to or stopped,
        complaint=complaint,
        log=stderr.name,
    )
    if others is None:
        return verdict
    if stopped and not told_to and verdict.exit_code in (EXIT_UNFORESEEN, EXIT_TEMPORARY):
        verdict = replace(verdict, follows=True)
    return others.settle(verdict, interrupted=told_to)


def _wait_for_plan(process: subprocess.Popen[bytes], mark: Path, planned: Callable[[], None]) -> None:
    while not mark.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_EVERY_S)
            break
    planned()


def _watch(process: subprocess.Popen[bytes], others: OtherLaunchers) -> bool:
    """Wait for a process that has to stop where another node does; return whether it had to."""
    stopped = False
    while process.poll() is None:
        if others.must_stop(wait=LOOK_EVERY_S) and not stopped:
            stopped = True
            # Torchrun gives its ranks the grace; those that wait for a lost one for ever are killed behind it.
            process.send_signal(signal.SIGTERM)
        elif stopped:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY_S)
    return stopped


def _environment(threads: int, *, scratch: Path, others: OtherLaunchers | None = None) -> dict[str, str]:
    environment = {
        # Matplotlib keeps a list of fonts in the home folder, which a pod may not write to.
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        # Torchrun takes each argument that is not given from one of these, which operators and images set for others:
        # with PET_NNODES it would wait for nodes that never come.
        **{name: value for name, value in os.environ.items() if not name.startswith("PET_")},
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Threads that wait spin by default; where the cores are shared or limited that made training five times
        # slower (7 against 38 samples a CPU second, measured beside a bare loop, benchmarks/training/bare.py).
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "LOGLEVEL": "ERROR",
    }
    # Gloo asks what the host's name resolves to, which may be nothing in a pod, and 127.0.1.1 on many machines.
    interface = interface_of("127.0.0.1" if others is None else others.own_address)
    if interface is not None:
        environment.setdefault("GLOO_SOCKET_IFNAME", interface)
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
