"""How the ranks of one node ended: what each leaves in a file, and the one verdict that is made of them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sam2vlm.errors import (
    EXIT_DATA,
    EXIT_OK,
    EXIT_SETTINGS,
    EXIT_TEMPORARY,
    EXIT_UNFORESEEN,
    AnotherNodeError,
    DataError,
    InterruptedRunError,
    RendezvousError,
    Sam2vlmError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["PLANNED", "Verdict", "judge", "leave_verdict", "raise_unless_done", "read_verdicts"]

#: The name of the file, beside the verdicts, that says that the plan was told.
PLANNED = "planned"
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


def judge(
    verdicts: Sequence[Verdict], *, processes: int, interrupted: bool, complaint: str, log: str = "train-stderr.log"
) -> Verdict:
    """Make one verdict of the ranks'.

    A rank that fails takes the others with it, so theirs say little: data and settings come first, then an
    unforeseen error, then an interruption such as a full volume. A rank without a verdict was killed or crashed,
    unless we were told to stop.

    Args:
        verdicts: Those that were left, by rank.
        processes: How many there should be.
        interrupted: Whether this process was told to stop.
        complaint: The end of what was written to standard error.
        log: The file in the run's logs that has all of it.
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
    return Verdict(EXIT_UNFORESEEN, _obituary(processes - len(verdicts), processes, complaint, log))


def _obituary(lost: int, processes: int, complaint: str, log: str) -> str:
    dead = f"{lost} of {processes} training processes died"
    signals = sorted(set(KILLED_BY.findall(complaint)))
    # The rest of torchrun's report, and of a traceback, stays in the log.
    if not signals:
        last = next((line for line in reversed(complaint.splitlines()) if line.strip()), "nothing was written")
        return f"{dead} without a word (logs/{log}): {last.strip()}"
    return f"{dead} of {' and '.join(signals)} (logs/{log}); start it again to go on from the last checkpoint"


def leave_verdict(folder: Path, rank: int, verdict: Verdict) -> None:
    """Write a rank's verdict; the rename makes sure that no half of one is read."""
    partial = folder / f".{rank}"
    partial.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    partial.rename(folder / f"{rank}.json")


def read_verdicts(folder: Path) -> list[Verdict]:
    """Read the verdicts that the ranks have left, by rank."""
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    return [Verdict(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def raise_unless_done(verdict: Verdict) -> None:
    """Raise the error that has a verdict's exit code."""
    if verdict.exit_code == EXIT_OK:
        return
    for kind in (DataError, SettingsError, InterruptedRunError, AnotherNodeError, RendezvousError):
        if verdict.exit_code == kind.exit_code:
            raise kind(verdict.message)
    raise Sam2vlmError(verdict.message)
