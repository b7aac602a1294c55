"""One phase's life on the volume: done already, half done, or to be started."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from sam2vlm import __version__
from sam2vlm.artifacts.atomic import canonical_json, publish_folder, sync_tree, write_json
from sam2vlm.artifacts.differences import differences
from sam2vlm.artifacts.manifest import (
    Counts,
    Manifest,
    fingerprint_of,
    read_manifest,
    records_of,
    verify_outputs,
)
from sam2vlm.errors import DataError, InterruptedRunError, SettingsError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sam2vlm.artifacts.layout import RunLayout
    from sam2vlm.artifacts.written_files import WrittenFiles

__all__ = ["STARTED", "PhaseWork", "open_phase"]

#: Lies in a phase's folder while it is at work.
STARTED = "started.json"
VERSIONED = (
    "accelerate",
    "av",
    "datasets",
    "deepspeed",
    "numpy",
    "peft",
    "pillow",
    "pycocotools",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True)
class PhaseWork:
    """A phase that holds its lock and may work.

    Attributes:
        layout: The run's paths.
        name: The phase.
        inputs: Digest of each input by name.
        settings: The settings that decide the result.
        seed: The seed of every random choice.
        folder: Where to write. For a phase that starts clean it is a hidden neighbour of the final folder; for
            one that resumes it is the final folder itself.
        finished: The manifest, where the very same work was finished before; then there is nothing to do.
        resumable: Whether half-finished work in ``folder`` is kept between starts.
    """

    layout: RunLayout
    name: str
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    seed: int
    folder: Path
    finished: Manifest | None
    resumable: bool

    @property
    def fingerprint(self) -> str:
        """SHA-256 over phase, inputs, settings and seed; what a phase keeps between starts carries it."""
        return fingerprint_of(self.name, self.inputs, self.settings, self.seed)

    def finish(
        self,
        *,
        counts: Counts,
        facts: Mapping[str, Any],
        exclude: Sequence[str] = (),
        written: WrittenFiles | None = None,
    ) -> Manifest:
        """Write the manifest last and give the folder its final name.

        Args:
            counts: Samples in, kept, dropped by reason.
            facts: What later phases need of this one.
            exclude: Shell patterns of files that are no outputs (logs, states that only a resume reads).
            written: What is known of outputs from writing them; the others are read once more.
        """
        # The disk writes while the digests are made.
        with ThreadPoolExecutor(1, thread_name_prefix="sync") as pool:
            synced = pool.submit(sync_tree, self.folder)
            outputs = records_of(self.folder, exclude=("manifest.json", STARTED, *exclude), written=written)
            synced.result()
        manifest = Manifest(
            phase=self.name,
            fingerprint=self.fingerprint,
            inputs=dict(self.inputs),
            outputs=outputs,
            settings=dict(self.settings),
            seed=self.seed,
            versions=_versions(),
            counts=counts,
            facts=dict(facts),
        )
        write_json(self.folder / "manifest.json", manifest.model_dump(mode="json"))
        # Only now: a kill before this line leaves a phase that can still be resumed.
        (self.folder / STARTED).unlink(missing_ok=True)
        final = self.layout.phase(self.name)
        if self.folder != final:
            publish_folder(self.folder, final, synced=True)
        return manifest


@contextlib.contextmanager
def open_phase(
    layout: RunLayout,
    name: str,
    *,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    seed: int,
    resumable: bool = False,
    replace: bool = False,
) -> Iterator[PhaseWork]:
    """Take the phase's lock and decide what there is to do.

    An error inside of the block removes what a phase that starts clean has written so far.

    Args:
        layout: The run's paths.
        name: The phase.
        inputs: Digest of each input by name. Of a phase that starts clean they are not looked at before they are
            needed: where there is a result already, else when the manifest is written.
        settings: The settings that decide the result, as JSON values; no paths, no worker counts, no secrets.
        seed: The seed of every random choice.
        resumable: Keep half-finished work of the same fingerprint (train); otherwise start clean.
        replace: Where the folder holds other work (other inputs or settings) or a damaged result, discard it instead
            of refusing.

    Raises:
        SettingsError: The folder holds the result of other inputs or settings, or half-finished work of others
            that a resumable phase would lose, and ``replace`` is not set.
        DataError: The folder holds a damaged result, and ``replace`` is not set.
        InterruptedRunError: Another process is at work on this phase of this run.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with _locked(layout.root / f".{name}.lock", name):
        final = layout.phase(name)
        work = PhaseWork(
            layout=layout,
            name=name,
            inputs=inputs,
            settings=settings,
            seed=seed,
            folder=final,
            finished=None,
            resumable=resumable,
        )
        finished = _finished_work(work, replace=replace)
        folder = final if resumable or finished else final.with_name(f".{name}.partial")
        work = replaced(work, folder=folder, finished=finished)
        with _clean_errors(layout, folder, keep=folder == final):
            if finished is None:
                _make_ready(work, replace=replace)
            yield work


def _finished_work(work: PhaseWork, *, replace: bool) -> Manifest | None:
    final, name, settings = work.folder, work.name, work.settings
    if not (final / "manifest.json").is_file():
        return None
    try:
        manifest = read_manifest(final / "manifest.json")
        if manifest.fingerprint == work.fingerprint:
            verify_outputs(final, manifest)
            (final / STARTED).unlink(missing_ok=True)
            return manifest
    except DataError as error:
        if not replace:
            raise
        # Otherwise nothing but a hand that deletes the folder would help a run that was damaged.
        get_logger(name).warning("discarding a damaged result", reason=str(error))
        return None
    if not replace:
        changed = sorted(
            key for key in {*settings, *manifest.settings} if settings.get(key) != manifest.settings.get(key)
        )
        reason = f"settings {', '.join(changed)}" if changed else "inputs or the seed"
        raise SettingsError(
            f"already holds a finished {name} with other {reason}; choose another SAM2VLM_RUN, or set "
            "SAM2VLM_REPLACE=true to discard it",
            source=final,
        )
    return None


def _make_ready(work: PhaseWork, *, replace: bool) -> None:
    folder, decided = work.folder, {"settings": dict(work.settings), "seed": work.seed}
    if work.resumable:
        # Only here: what starts clean may begin before the digests of its inputs are there.
        decided |= {"inputs": dict(work.inputs), "fingerprint": work.fingerprint}
        _refuse_other_work(folder, decided, replace=replace)
    if not work.resumable or _started_with(folder).get("fingerprint") != work.fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / STARTED, decided)


def _refuse_other_work(folder: Path, decided: Mapping[str, Any], *, replace: bool) -> None:
    started = _started_with(folder)
    if not replace and started.get("fingerprint") not in (None, decided["fingerprint"]):
        # Hours of work may lie in there; a mistyped setting must not cost them.
        raise _other_work(folder, started, decided)


def _other_work(folder: Path, started: Mapping[str, Any], decided: Mapping[str, Any]) -> SettingsError:
    """Say what is other than at the first start; files of version 0.1 do not know it."""
    changed = differences(_flat(started), _flat(decided)) if "settings" in started else {}
    field, (before, now) = next(iter(changed.items()), (None, (None, None)))
    return SettingsError(
        f"holds half-finished work with other {', '.join(changed) or 'inputs, settings or seed'}; choose another "
        "SAM2VLM_RUN, set back what was changed, or set SAM2VLM_REPLACE=true to discard it",
        source=folder,
        field=field,
        expected=before,
        found=now,
    )


@contextlib.contextmanager
def _clean_errors(layout: RunLayout, folder: Path, *, keep: bool) -> Iterator[None]:
    """Leave no partial output behind an error; on a full volume this also gives the space back."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            # A full volume is told by the write, which knows no name.
            error.filename = str(layout.root)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _flat(decided: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, inputs and seed beside each other, as JSON has them: a setting by the name it is set by."""
    values: dict[str, Any] = json.loads(canonical_json(decided))
    return {**values["settings"], "inputs": values.get("inputs"), "seed": values.get("seed")}


def _started_with(folder: Path) -> Mapping[str, Any]:
    try:
        started = json.loads((folder / STARTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return started if isinstance(started, dict) else {}


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InterruptedRunError(f"another process is at work on {name} of this run", source=path) from None
        yield


def _versions() -> dict[str, str]:
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "sam2vlm": __version__}
    for package in VERSIONED:
        # Only what the phase really loaded: prepare must say the same with and without torch installed.
        if package in sys.modules or {"pillow": "PIL"}.get(package) in sys.modules:
            found[package] = importlib.metadata.version(package)
    return found
