"""The error tree and the exit codes that a Job's failure policy reads.

    Sam2vlmError            1   something we did not foresee a better name for
    ├── DataError          65   the input is wrong (EX_DATAERR): a retry cannot help, the Job fails at once
    ├── SettingsError      78   the settings are wrong (EX_CONFIG): a retry cannot help, the Job fails at once
    └── InterruptedRunError 75  stopped after a checkpoint, or a passing fault of the volume (EX_TEMPFAIL):
        │                       the Job starts the pod again and the phase resumes
        ├── AnotherNodeError 68 stopped because another node of the same training did (EX_NOHOST): that node's pod
        │                       counts, this one is started again without being counted
        └── RendezvousError 69  the other nodes did not come in time (EX_UNAVAILABLE): the Job tries again

The numbers are those of BSD's ``sysexits.h``; ``charts/sam2vlm`` maps them with a podFailurePolicy.
Every error is one sentence for a person. Where it speaks of a file it says which one, which field of it,
what was expected and what was found, in that order.
"""

from __future__ import annotations

import errno
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "EXIT_ANOTHER_NODE",
    "EXIT_DATA",
    "EXIT_OK",
    "EXIT_RENDEZVOUS",
    "EXIT_SETTINGS",
    "EXIT_TEMPORARY",
    "EXIT_UNFORESEEN",
    "AnotherNodeError",
    "DataError",
    "InterruptedRunError",
    "RendezvousError",
    "Sam2vlmError",
    "SettingsError",
    "from_library_error",
    "from_os_error",
]

# What would break the sentence's one line, command a terminal, or turn the reading direction around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

EXIT_OK = 0
EXIT_UNFORESEEN = 1
EXIT_DATA = 65
EXIT_ANOTHER_NODE = 68
EXIT_RENDEZVOUS = 69
EXIT_TEMPORARY = 75
EXIT_SETTINGS = 78

# How safetensors and tokenizers (Rust) tell ENOSPC and EDQUOT, and how torch's archive writer (C++) any failed write.
FULL = re.compile(r"\(os error (28|122)\)")
UNWRITTEN = re.compile(r"iostream error|PytorchStreamWriter failed|inline_container\.cc:\d+\] \. unexpected pos")


class Sam2vlmError(Exception):
    """The root of the tree: a failure that is told in one sentence, without a traceback.

    Args:
        message: What went wrong, for a person.
        source: The file, archive entry or environment variable that it concerns.
        field: The field inside of it, as a path (``annotations[3].objects[0].mask_rle``).
        expected: What would have been right.
        found: What was there, shortened to 120 characters.
    """

    exit_code = EXIT_UNFORESEEN

    def __init__(
        self,
        message: str,
        *,
        source: object = None,
        field: str | None = None,
        expected: object = None,
        found: object = None,
    ) -> None:
        self.message = message
        self.source = None if source is None else str(source)
        self.field = field
        self.expected = None if expected is None else str(expected)
        self.found = None if found is None else _shortened(str(found))
        super().__init__(self._sentence())

    def with_source(self, source: object, *, field: str | None = None) -> Self:
        """Return the same error, told by somebody who knows the file or variable that it concerns.

        Args:
            source: As above.
            field: In place of the error's own, where given.
        """
        return type(self)(
            self.message,
            source=source,
            field=self.field if field is None else field,
            expected=self.expected,
            found=self.found,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # As BaseException has it, an error that comes from another process would be told with its parts lost.
        parts = {name: getattr(self, name) for name in ("source", "field", "expected", "found")}
        return partial(type(self), **parts), (self.message,), self.__dict__

    def _sentence(self) -> str:
        place = ": ".join(part for part in (self.source, self.field) if part)
        detail = "; ".join(
            part
            for part in (
                f"expected {self.expected}" if self.expected is not None else "",
                f"found {self.found}" if self.found is not None else "",
            )
            if part
        )
        sentence = f"{place}: {self.message}" if place else self.message
        return _UNPRINTABLE.sub(_escaped, f"{sentence} ({detail})" if detail else sentence)


class DataError(Sam2vlmError):
    """The input data is wrong: exit code 65, no retry helps."""

    exit_code = EXIT_DATA


class SettingsError(Sam2vlmError):
    """A setting is unknown, impossible or contradicts another: exit code 78, no retry helps."""

    exit_code = EXIT_SETTINGS


class InterruptedRunError(Sam2vlmError):
    """The phase stopped where it can go on: exit code 75, a retry resumes."""

    exit_code = EXIT_TEMPORARY


class AnotherNodeError(InterruptedRunError):
    """Another node of the same training stopped, so this one did: exit code 68, started again uncounted."""

    exit_code = EXIT_ANOTHER_NODE


class RendezvousError(InterruptedRunError):
    """The nodes of one training did not find each other in time: exit code 69, a retry looks again."""

    exit_code = EXIT_RENDEZVOUS


def from_os_error(error: OSError, *, doing: str) -> Sam2vlmError:
    """Turn a failing file operation into the error, and so the exit code, that fits it.

    A full volume or a lost mount may be mended from outside while the Job retries (75); missing permission
    and a read-only volume stay as they are until somebody changes the settings (78).

    Args:
        error: What the operating system said.
        doing: What was being done, as in "writing the dataset".
    """
    place = error.filename or "the volume"
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InterruptedRunError(f"no space left while {doing}; free some or enlarge the volume", source=place)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SettingsError(
            f"no permission while {doing}", source=place, expected="a writable place", found=reason.lower()
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
        return DataError(f"cannot be used while {doing}", source=place, found=reason.lower())
    return InterruptedRunError(f"{reason.lower()} while {doing}", source=place)


def from_library_error(error: BaseException, *, doing: str) -> Sam2vlmError | None:
    """Find the failed write behind an exception that a library made of it, without errno and without name.

    Args:
        error: What came out of the library.
        doing: What was being done, as in "training".

    Returns:
        The error that fits, or None where no write failed.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return from_os_error(cause, doing=doing)
        if FULL.search(str(cause)):
            return from_os_error(OSError(errno.ENOSPC, str(cause)), doing=doing)
        if UNWRITTEN.search(str(cause)):
            return InterruptedRunError(
                f"a file could not be written while {doing}; most likely no space is left: free some or enlarge it",
                source="the volume",
            )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _escaped(found: re.Match[str]) -> str:
    return ascii(found.group())[1:-1]


def _shortened(text: str, limit: int = 120) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
