"""A folder of checkpoints, each with its own manifest.

Libraries write a checkpoint file by file, and DeepSpeed points to it before all ranks have finished, so a kill
leaves a torn one behind. Here a checkpoint is written under a hidden name, checked, sealed with the digest of
every file, flushed to the disk and only then given its name. A folder without a valid manifest is not a
checkpoint. Several of the files are torch pickles: they are opened only after their digests have matched, and then
by :mod:`sam2vlm.trainers.safe_loading`, because whoever can change a file can change its digest.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sam2vlm.artifacts import (
    FileRecord,
    digest_of_file,
    digest_of_value,
    files_below,
    publish_folder,
    records_of,
    write_json,
)
from sam2vlm.errors import DataError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Checkpoint", "CheckpointManager", "CheckpointManifest"]

NAME = re.compile(r"step-(\d{6,})")
MANIFEST = "manifest.json"
PICKLES = (".pt", ".pth", ".bin")


class CheckpointManifest(BaseModel):
    """What a checkpoint is.

    Attributes:
        format: The manifest's own version.
        fingerprint: The phase's fingerprint: inputs, settings and seed of the run that wrote it.
        step: Optimizer steps done.
        epoch: Passes over the data done, with the fraction of the present one.
        loss: The training loss of this step.
        metric: The figure of the evaluation at this step; None where there was none.
        world_size: How many ranks wrote it; it can be resumed by as many only.
        complete: Whether it is the last one of its run.
        state: What else a resume needs, as JSON values.
        files: Every file by relative path.
        seal: Digest of all the other fields; see :meth:`seal_of`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["sam2vlm.checkpoint/1"] = "sam2vlm.checkpoint/1"
    fingerprint: str
    step: int = Field(ge=1)
    epoch: float = Field(ge=0)
    loss: float | None
    metric: float | None
    world_size: int = Field(ge=1)
    complete: bool = False
    state: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, FileRecord]
    seal: str = ""

    def seal_of(self) -> str:
        """Return the digest of every field but the seal: what was edited by hand does not have it any more."""
        return digest_of_value(self.model_dump(mode="json", exclude={"seal"}))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose every file has been checked: its folder and its manifest."""

    folder: Path
    manifest: CheckpointManifest


class CheckpointManager:
    """Writes, checks, finds and prunes the checkpoints of one run.

    Args:
        folder: ``RUN/train/checkpoints``.
        fingerprint: The phase's fingerprint; checkpoints of another are foreign.
        world_size: Ranks of this run.
        keep_newest: How many of the newest to keep beside the best.
    """

    def __init__(self, folder: Path, *, fingerprint: str, world_size: int, keep_newest: int = 2) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.world_size = world_size
        self.keep_newest = keep_newest
        self._log = get_logger("checkpoints")

    def path(self, step: int) -> Path:
        """Return the folder of a step's checkpoint, there or not."""
        return self.folder / f"step-{step:06d}"

    def stage(self, step: int) -> Path:
        """Return the hidden folder that a step's checkpoint is to be written into. Empty it with :meth:`clean`."""
        return self.folder / f".step-{step:06d}.partial"

    def clean(self) -> None:
        """Remove what interrupted writes have left. Only one process may call it, before any writes."""
        for leftover in sorted(self.folder.glob(".step-*")):
            self._log.info("checkpoint_leftover_removed", folder=leftover.name)
            shutil.rmtree(leftover)

    def discard(self, step: int) -> None:
        """Remove the staged folder of a step whose save has failed: a full volume gets its space back at once."""
        # What cannot be removed now, :meth:`clean` removes at the next start; the save's own error is the one to tell.
        shutil.rmtree(self.stage(step), ignore_errors=True)

    def commit(self, step: int, *, required: Iterable[str], keep: int | None, **facts: Any) -> Checkpoint:
        """Check, seal and publish the staged folder of a step, then prune. One process, after all have written.

        Args:
            step: The step.
            required: Relative paths that must be there: those of every rank.
            keep: The step of the best checkpoint, which is never pruned; None where there is none yet.
            **facts: The other fields of :class:`CheckpointManifest`.

        Raises:
            DataError: A rank's file is missing or cannot be read back.
        """
        staged = self.stage(step)
        _check_readable(staged, required)
        manifest = CheckpointManifest(
            fingerprint=self.fingerprint,
            step=step,
            world_size=self.world_size,
            files=records_of(staged, exclude=(MANIFEST,)),
            **facts,
        )
        manifest = manifest.model_copy(update={"seal": manifest.seal_of()})
        write_json(staged / MANIFEST, manifest.model_dump(mode="json"))
        publish_folder(staged, self.path(step))
        self._prune(newest=step, best=keep)
        return Checkpoint(self.path(step), manifest)

    def newest(self) -> Checkpoint | None:
        """Return the newest good checkpoint of this run; every newer one that is not good is logged by name."""
        for step in sorted(self.steps(), reverse=True):
            try:
                return self.open(step)
            except DataError as error:
                self._log.warning("checkpoint_skipped", folder=self.path(step).name, reason=str(error))
        return None

    def open(self, step: int) -> Checkpoint:
        """Check a step's checkpoint, digests included.

        Raises:
            DataError: It is missing, torn, changed, or of another run.
        """
        folder = self.path(step)
        manifest = _read(folder / MANIFEST)
        self._refuse_foreign(folder, manifest)
        if manifest.seal != manifest.seal_of():
            raise DataError("changed since it was written", source=folder.name, field=MANIFEST)
        found = set(files_below(folder, exclude=(MANIFEST,)))
        if found != set(manifest.files):
            odd = min(found ^ set(manifest.files))
            raise DataError("does not hold the files that its manifest names", source=folder.name, field=odd)
        for name, record in manifest.files.items():
            if digest_of_file(folder / name) != record.sha256:
                raise DataError("changed since it was written", source=folder.name, field=name)
        return Checkpoint(folder, manifest)

    def _refuse_foreign(self, folder: Path, manifest: CheckpointManifest) -> None:
        for field, expected in (
            ("step", int(folder.name.removeprefix("step-"))),
            ("fingerprint", self.fingerprint),
            ("world_size", self.world_size),
        ):
            found = getattr(manifest, field)
            if found != expected:
                raise DataError(
                    "is not a checkpoint of this run", source=folder.name, field=field, expected=expected, found=found
                )

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints that are there, in no order; whether they are good is not looked at."""
        if not self.folder.is_dir():
            return []
        matches = (NAME.fullmatch(item.name) for item in self.folder.iterdir() if item.is_dir())
        return [int(match[1]) for match in matches if match]

    def _prune(self, *, newest: int, best: int | None) -> None:
        # Later steps than the one just written are torn ones that a resume has skipped: they go too.
        steps = sorted(self.steps())
        kept = {*[step for step in steps if step <= newest][-self.keep_newest :], best, newest}
        for step in steps:
            if step not in kept:
                # Renamed first, so that a kill in between leaves no folder with a name and half its files.
                doomed = self.folder / f".step-{step:06d}.pruned"
                self.path(step).rename(doomed)
                shutil.rmtree(doomed)


def _read(path: Path) -> CheckpointManifest:
    try:
        return CheckpointManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError("has no manifest, so its writing was interrupted", source=path.parent.name) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or None
        raise DataError(f"its manifest is not valid: {first['msg']}", source=path.parent.name, field=place) from None


def _check_readable(folder: Path, required: Iterable[str]) -> None:
    for name in required:
        if not (folder / name).is_file():
            raise DataError("a rank's file is missing after the save", source=folder.name, field=name)
    for name in files_below(folder):
        if name.endswith(PICKLES) and not _is_sound_zip(folder / name):
            raise DataError("cannot be read back after the save", source=folder.name, field=name)


def _is_sound_zip(path: Path) -> bool:
    """Whether a torch file's archive is whole: its checksums are read, nothing is unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False
