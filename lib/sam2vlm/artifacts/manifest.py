"""``manifest.json``: what a phase read, what it wrote, with which settings, versions and seed.

A manifest is written last. A phase folder without one is unfinished, whatever else lies in it. It holds no
time, host name or absolute path, so that equal inputs give equal bytes.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sam2vlm.artifacts.digests import digest_of_file, digest_of_value, files_below
from sam2vlm.artifacts.written_files import WrittenFiles
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Counts", "FileRecord", "Manifest", "fingerprint_of", "read_manifest", "records_of", "verify_outputs"]


_FILES_A_TASK = 64


class FileRecord(BaseModel):
    """One output file: its SHA-256 and its size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Counts(BaseModel):
    """How many samples came in, how many were kept, and why the others were not.

    ``seen == kept + sum(dropped.values())`` always: nothing is dropped without a reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: int = Field(ge=0)
    kept: int = Field(ge=0)
    dropped: dict[str, int] = Field(default_factory=dict)

    def model_post_init(self, _context: Any) -> None:
        """Refuse counts that do not add up."""
        if self.seen != self.kept + sum(self.dropped.values()):
            raise ValueError(f"{self.seen} seen is not {self.kept} kept plus {self.dropped} dropped")


class Manifest(BaseModel):
    """The contract of one finished phase.

    Attributes:
        format: The manifest's own version.
        phase: ``prepare``, ``train``, ``evaluate`` or ``export``.
        fingerprint: SHA-256 over phase, inputs, settings and seed; equal means "the same work".
        inputs: Digest of each input by name (``export``, or the manifest of an earlier phase).
        outputs: Every file of the phase's folder by relative path, this manifest and logs aside.
        settings: The settings that decide the result, defaults included; never a secret.
        seed: The seed of every random choice.
        versions: Versions of what computed it.
        counts: Samples in, kept, dropped by reason.
        facts: What later phases and people need of this one (metrics, labels, conventions).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["sam2vlm.manifest/1"] = "sam2vlm.manifest/1"
    phase: str
    fingerprint: str
    inputs: dict[str, str]
    outputs: dict[str, FileRecord]
    settings: dict[str, Any]
    seed: int
    versions: dict[str, str]
    counts: Counts
    facts: dict[str, Any] = Field(default_factory=dict)


def fingerprint_of(phase: str, inputs: Mapping[str, str], settings: Mapping[str, Any], seed: int) -> str:
    """Return the SHA-256 over what decides a phase's result."""
    return digest_of_value({"phase": phase, "inputs": dict(inputs), "settings": dict(settings), "seed": seed})


def records_of(
    folder: Path, *, exclude: Sequence[str] = (), written: WrittenFiles | None = None
) -> dict[str, FileRecord]:
    """Return the record of every file below ``folder``, by relative path, in sorted order.

    Args:
        folder: Where to look.
        exclude: Shell patterns of files to leave out.
        written: What is known of files from writing them; the others are read.
    """
    written = WrittenFiles() if written is None else written
    names = list(files_below(folder, exclude=exclude))
    # hashlib lets other threads work; some files a task, so that a hundred thousand of them take no memory.
    parts = [names[begin : begin + _FILES_A_TASK] for begin in range(0, len(names), _FILES_A_TASK)]
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="digests") as pool:
        found = itertools.chain.from_iterable(pool.map(partial(_records, folder, written), parts))
        return dict(zip(names, found, strict=True))


def _records(folder: Path, written: WrittenFiles, names: Sequence[str]) -> list[FileRecord]:
    return [_record(folder / name, written) for name in names]


def _record(path: Path, written: WrittenFiles) -> FileRecord:
    sha256, size = written.get(path) or (digest_of_file(path), path.stat().st_size)
    return FileRecord(sha256=sha256, size=size)


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        DataError: It is missing, is not JSON, or has the wrong shape.
    """
    if not path.is_file():
        raise DataError(
            f"the {path.parent.name} phase has not finished here; run it first", source=path, expected="a manifest"
        )
    try:
        return Manifest.model_validate(
            json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            first["msg"], source=path, field=".".join(map(str, first["loc"])), found=first["input"]
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError("is not a JSON manifest", source=path, found=error) from None


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def verify_outputs(folder: Path, manifest: Manifest) -> None:
    """Check that every output that a manifest names is there with the size and digest it had.

    Raises:
        DataError: The first file that is missing or differs, by name.
    """
    for name, record in manifest.outputs.items():
        path = folder / name
        if not path.is_file():
            raise DataError("is named in the manifest but missing", source=path)
        size = path.stat().st_size
        if size != record.size:
            raise DataError(
                "changed since the phase finished", source=path, expected=f"{record.size} bytes", found=size
            )
        digest = digest_of_file(path)
        if digest != record.sha256:
            raise DataError(
                "changed since the phase finished", source=path, expected=f"SHA-256 {record.sha256}", found=digest
            )
