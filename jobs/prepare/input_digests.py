"""The digests of what is prepared, made in a process beside: a large archive takes as long to hash as to read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sam2vlm.workers import beside, can_fork, cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["digests_beside"]


@contextlib.contextmanager
def digests_beside(digests: Callable[[], Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    """Yield digests by name that are waited for when somebody looks at them.

    Args:
        digests: Makes them, in another process where there is a core for it. What it raises is raised to the first one
            who looks.
    """
    if cores() < 2 or not can_fork():  # noqa: PLR2004  a core for each
        yield digests()
        return
    with beside(digests) as found:
        yield _Awaited(found.result)


class _Awaited(Mapping[str, str]):
    """A mapping that is had from a function, once."""

    def __init__(self, found: Callable[[], Mapping[str, str]]) -> None:
        self._found = functools.cache(found)

    def __getitem__(self, name: str) -> str:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())
