"""What a conversion made, and the folder it makes it in."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import publish_folder
from sam2vlm.errors import SettingsError, from_os_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConversionResult", "staged_folder"]


@dataclass(frozen=True, slots=True)
class ConversionResult(Mapping[str, Any]):
    """Counts of a conversion; every field is an attribute and a key.

    Attributes:
        total_samples: Frames in all splits together.
        samples: Frames by split.
        conversations: Conversations by split and task.
        dropped: Frame indices that the reader left out, by reason.
        notes: What the reader noticed, as sentences.
    """

    total_samples: int
    samples: Mapping[str, int]
    conversations: Mapping[str, Mapping[str, int]]
    dropped: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:
        if key not in set(self):
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return (item.name for item in fields(self))

    def __len__(self) -> int:
        return len(fields(self))


@contextlib.contextmanager
def staged_folder(output: Path, *, known_by: str) -> Iterator[Path]:
    """Give a hidden neighbour of ``output`` to write to; on leaving without an error it becomes ``output``.

    Args:
        output: The final folder. An older result there is replaced, anything else is not touched.
        known_by: A file that every result of this kind has at its top.

    Raises:
        SettingsError: ``output`` holds something else than an older result, or may not be written.
    """
    staged = output.with_name(f".{output.name}.partial")
    try:
        _refuse_strangers(output, known_by)
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        yield staged
        publish_folder(staged, output)
    except OSError as error:
        raise from_os_error(error, doing="writing the converted export") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _refuse_strangers(output: Path, known_by: str) -> None:
    is_empty = output.is_dir() and not any(output.iterdir())
    if output.exists() and not is_empty and not (output / known_by).is_file():
        raise SettingsError(
            "holds something else and is not overwritten",
            source=output,
            expected="a new or empty folder",
            found="files",
        )
