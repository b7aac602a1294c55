"""One run as it lies there: which phases are done, what they say, and the figures of its training."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import (
    PHASES,
    STARTED,
    RunLayout,
    digest_of_file,
    digest_of_value,
    leaves,
    read_finished,
    refuse_strangers,
)
from sam2vlm.errors import DataError
from sam2vlm.tracking.runs.facts import Evaluated, Trained, facts_as

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sam2vlm.artifacts import Manifest

__all__ = ["RunRecord", "Standing", "is_run", "read_run"]

METRICS = "metrics.jsonl"
LOSSES = ("loss", "eval_loss")


class Standing(StrEnum):
    """How far a phase is."""

    DONE = "done"
    HALF_DONE = "half done"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run.

    Attributes:
        name: What it is called here.
        folder: Where it lies.
        standing: Of every phase.
        manifests: Of the phases that are done.
        digests: Of their manifests.
        trained: What training says of itself; None where it is not done.
        evaluated: The same of the evaluation.
        curve: Lines of ``metrics.jsonl``; also of a training that is at work.
        changed: When a phase began or ended last, in nanoseconds, by the file system's own times.
    """

    name: str
    folder: Path
    standing: Mapping[str, Standing]
    manifests: Mapping[str, Manifest]
    digests: Mapping[str, str]
    trained: Trained | None
    evaluated: Evaluated | None
    curve: tuple[Mapping[str, Any], ...]
    changed: int

    @property
    def experiment(self) -> str | None:
        """The experiment's name; None before training is done."""
        found = self.manifests["train"].settings.get("experiment_name") if "train" in self.manifests else None
        return found if isinstance(found, str) else None

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting of the phases that are done, and their seeds, by dotted name: ``train.training.lora.rank``."""
        found: dict[str, Any] = {}
        for phase, manifest in self.manifests.items():
            found |= leaves(manifest.settings, f"{phase}.")
            found[f"{phase}.seed"] = manifest.seed
        return found

    @property
    def prepared_digest(self) -> str | None:
        """The digest of the prepare phase's manifest that this run was made from; None where nobody says it."""
        told = (self.manifests[phase].inputs.get("prepare") for phase in ("train", "evaluate") if phase in self.digests)
        return self.digests.get("prepare") or next(filter(None, told), None)

    def split_digest(self, split: str) -> str | None:
        """Return one digest of a split's rows and pictures; None where the prepare phase does not lie here."""
        prepared = self.manifests.get("prepare")
        if prepared is None:
            return None
        # The files beside the tables tell how they were written, not what is in them.
        files = {
            name: record.sha256
            for name, record in prepared.outputs.items()
            if name.startswith(f"dataset/{split}/") and name.endswith(".arrow")
        }
        return digest_of_value(files) if files else None


def is_run(folder: Path) -> bool:
    """Return whether a phase has ever worked in a folder."""
    layout = RunLayout(folder)
    return any(
        layout.manifest(phase).is_file() or (folder / f".{phase}.lock").is_file() or _started(layout, phase)
        for phase in PHASES
    )


def read_run(folder: Path, *, name: str | None = None) -> RunRecord:
    """Read a run. Of the outputs only those are digested that are read here.

    Args:
        folder: The run's.
        name: What to call it; its folder's name where None.

    Raises:
        DataError: It is no run, or a manifest of it is torn, foreign, changed, or made from another phase's result.
    """
    if not is_run(folder):
        raise DataError("is no run's folder", source=folder, expected=f"one in which {', '.join(PHASES)} worked")
    layout = RunLayout(folder)
    manifests = {phase: read_finished(layout, phase) for phase in PHASES if layout.manifest(phase).is_file()}
    digests = {phase: digest_of_file(layout.manifest(phase)) for phase in manifests}
    refuse_strangers(layout, {phase: (digests[phase], manifest) for phase, manifest in manifests.items()})
    return RunRecord(
        name=name or folder.resolve().name,
        folder=folder,
        standing={phase: _standing(layout, phase) for phase in PHASES},
        manifests=manifests,
        digests=digests,
        trained=_facts(layout, "train", Trained, manifests),
        evaluated=_facts(layout, "evaluate", Evaluated, manifests),
        curve=_curve(layout, manifests.get("train")),
        changed=_changed(layout),
    )


def _started(layout: RunLayout, phase: str) -> bool:
    return any((folder / STARTED).is_file() for folder in (layout.phase(phase), layout.root / f".{phase}.partial"))


def _standing(layout: RunLayout, phase: str) -> Standing:
    if layout.manifest(phase).is_file():
        return Standing.DONE
    return Standing.HALF_DONE if _started(layout, phase) or layout.phase(phase).is_dir() else Standing.MISSING


def _facts(layout: RunLayout, phase: str, kind: Any, manifests: Mapping[str, Manifest]) -> Any:
    found = manifests.get(phase)
    return None if found is None else facts_as(kind, found, source=layout.manifest(phase))


def _changed(layout: RunLayout) -> int:
    files = [layout.manifest(phase) for phase in PHASES]
    files += [layout.root / name / STARTED for phase in PHASES for name in (phase, f".{phase}.partial")]
    files += [layout.phase("train") / METRICS]
    files += [layout.root / f".{phase}.lock" for phase in PHASES]
    return max((path.stat().st_mtime_ns for path in files if path.is_file()), default=0)


def _curve(layout: RunLayout, manifest: Manifest | None) -> tuple[Mapping[str, Any], ...]:
    path = layout.phase("train") / METRICS
    if manifest is not None:
        record = manifest.outputs.get(METRICS)
        if record is None or not path.is_file() or digest_of_file(path) != record.sha256:
            raise DataError("is missing or changed since training finished", source=path)
    elif not path.is_file():
        return ()
    lines = path.read_bytes().split(b"\n")
    # The last line of a training that is at work may not be whole yet; a kill may have torn it.
    whole = lines if manifest is not None else lines[:-1]
    return tuple(_line(text, path, number) for number, text in enumerate(whole, 1) if text.strip())


def _line(text: bytes, path: Path, number: int) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
        figures = [line[name] for name in LOSSES if name in line]
        if isinstance(line["step"], int) and all(math.isfinite(figure) for figure in figures):
            return dict(line)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        pass
    raise DataError("is not a line of figures", source=path, field=f"line {number}", expected='{"step": ..., ...}')
