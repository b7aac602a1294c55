"""An export on its way into the volume: one side waits in prepare's pod, ``kubectl exec`` streams the other in."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import time
from typing import IO, TYPE_CHECKING

from sam2vlm.artifacts import digest_of_file, open_atomic
from sam2vlm.errors import DataError, InterruptedRunError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["accept", "is_there", "wait_for"]

BLOCK_BYTES = 1 << 20
TELL_EVERY_S = 15.0
LINGER_S = 1.5


def is_there(target: Path, sha256: str) -> bool:
    """Tell whether the whole export is at its place. Only :func:`accept` puts one there, whole."""
    return target.is_file() and digest_of_file(target) == sha256


def accept(stream: IO[bytes], target: Path, sha256: str) -> int:
    """Write a stream to its place, atomically, if it is what it should be.

    Args:
        stream: The export's bytes.
        target: Where they go.
        sha256: The digest they must have.

    Returns:
        How many bytes were written; 0 where the export was there already.

    Raises:
        DataError: The bytes have another digest; nothing is kept.
        InterruptedRunError: Another upload of it is on its way.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if is_there(target, sha256):
            return 0
        digest, size = hashlib.sha256(), 0
        with open_atomic(target) as written:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
                size += written.write(block)
            if digest.hexdigest() != sha256:
                raise DataError(
                    "arrived damaged or cut; upload it again",
                    source=target.name,
                    expected=f"SHA-256 {sha256}",
                    found=f"{digest.hexdigest()} of {size} bytes",
                )
    return size


def wait_for(
    target: Path,
    sha256: str,
    *,
    timeout_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the export is at its place.

    Args:
        target: Where it will be.
        sha256: The digest it must have.
        timeout_s: How long to wait, in seconds.
        now: A clock, in seconds.
        sleep: Waits, in seconds.

    Raises:
        DataError: Another file is at its place.
        InterruptedRunError: It did not come in time.
    """
    began = told = now()
    was_there = target.exists()
    while not target.exists():
        if now() - began > timeout_s:
            raise InterruptedRunError(
                "was not uploaded in time; `make train` with the same export uploads it",
                source=target.name,
                expected=f"within {timeout_s:g} s",
            )
        if now() - told >= TELL_EVERY_S:
            told = now()
            get_logger("receive").info("waiting for the export", seconds=round(told - began))
        sleep(0.5)
    if not was_there:
        # This container's end kills the process that has just written it; that one still wants to say so.
        sleep(LINGER_S)
    if not is_there(target, sha256):
        raise DataError("is another file", source=target, expected=f"SHA-256 {sha256}", found=digest_of_file(target))


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    with target.with_name(f".{target.name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InterruptedRunError("another upload of it is on its way", source=target.name) from None
        yield
