"""``helm`` and ``kubectl``: where they are, and one function that runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sam2vlm.errors import Sam2vlmError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CommandError", "find_program", "json_of", "require_cluster", "run"]

REACH_TIMEOUT_S = 15


class CommandError(Sam2vlmError):
    """A program that we called said no; its last line is the message."""

    def __init__(self, command: Sequence[str], exit_code: int, said: str) -> None:
        self.said = said.strip()
        last = (self.said.splitlines() or [f"exit code {exit_code}"])[-1]
        super().__init__(last.removeprefix("Error: "), source=Path(command[0]).name)


def find_program(name: str) -> str:
    """Return the path of a program: beside this interpreter (``make tools``), else on PATH.

    Raises:
        SettingsError: It is in neither place.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise SettingsError(f"{name} is not installed; `make tools` puts it into the virtual environment")
    return found


def run(
    command: Sequence[str],
    *,
    stdin: IO[bytes] | bytes | None = None,
    timeout_s: float | None = None,
    check: bool = True,
) -> str:
    """Run ``helm`` or ``kubectl`` and return its standard output.

    Args:
        command: The program's bare name and its arguments.
        stdin: An open file, or bytes.
        timeout_s: Longest wait in seconds.
        check: Whether another exit code than 0 is an error.

    Raises:
        SettingsError: The program is not installed.
        CommandError: It failed, or took too long.
    """
    argv = [find_program(command[0]), *command[1:]]
    source: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    done: subprocess.CompletedProcess[bytes]
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=timeout_s, **source)
    except subprocess.TimeoutExpired:
        raise CommandError(argv, 1, f"no answer within {timeout_s:g} s") from None
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")


def json_of(command: Sequence[str]) -> dict[str, Any]:
    """Run a command that prints a JSON object."""
    return dict(json.loads(run(command)))


def require_cluster() -> None:
    """Check that the current context's API server answers.

    Raises:
        SettingsError: It does not, or there is no context; the sentence names the way without a cluster.
    """
    try:
        run(["kubectl", "get", "--raw", "/version", f"--request-timeout={REACH_TIMEOUT_S}s"], timeout_s=REACH_TIMEOUT_S)
    except CommandError as error:
        raise SettingsError(
            "no Kubernetes cluster can be reached with the current context; `make demo` runs the four phases on this "
            "machine",
            found=error.message,
        ) from None
