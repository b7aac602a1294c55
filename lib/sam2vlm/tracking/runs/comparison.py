"""Runs held against each other: what was set differently, and which is better by how much, where that can be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import PHASES
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sam2vlm.tracking.runs.record import RunRecord

__all__ = ["EVALUATION_FIGURES", "Comparison", "FigureRow", "SettingRow", "compare_runs"]

#: The evaluation's figures in the order of the table, and whether more of it is better.
EVALUATION_FIGURES = {
    "mAP50": True,
    "mAP50_95": True,
    "mean_iou": True,
    "count_accuracy": True,
    "label_accuracy": True,
    "localisation_recall": True,
    "localisation_precision": True,
    "foreign_labels": False,
}
VALIDATION_LOSS = "best validation loss"
#: What decides which tokens a loss is the mean of, beside the frames.
OF_THE_TOKENS = ("tasks", "data.max_length", "max_dropped_share")
SPLITS = ("train", "val", "test")
#: One alone is not better than anything.
FEWEST = 2


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting, a version or a split that is not the same everywhere.

    Attributes:
        name: Dotted.
        values: One a run, as JSON has it; None where a run does not have it.
    """

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure.

    Attributes:
        name: The evaluation's own, or ``best validation loss``.
        more_is_better: Its direction.
        values: One a run; None where a run does not have it.
        comparable: Whether the runs measured the same thing.
    """

    name: str
    more_is_better: bool
    values: tuple[float | None, ...]
    comparable: bool

    @property
    def best(self) -> tuple[int, ...]:
        """The places of the best runs; several where they are equal, none where nothing can be said."""
        known = [value for value in self.values if value is not None]
        if not self.comparable or len(known) < FEWEST:
            return ()
        best = max(known) if self.more_is_better else min(known)
        return tuple(place for place, value in enumerate(self.values) if value == best)

    @property
    def margin(self) -> float | None:
        """How far the one best run is from the next one, a positive number; None where there is no one best."""
        if len(self.best) != 1:
            return None
        ordered = sorted(value for value in self.values if value is not None)
        return ordered[-1] - ordered[-2] if self.more_is_better else ordered[1] - ordered[0]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be told about several runs.

    Attributes:
        runs: In the order in which they were named.
        settings: Those that differ, of the phases that all runs have done.
        versions: Of libraries, where they differ.
        inputs: Digests of what came from outside (the export, the base model), where they differ.
        splits: Whether each split is the same in all runs; None where it is not known.
        figures: Of training and evaluation.
        cautions: What has to be known before the figures are believed, one sentence each.
    """

    runs: tuple[RunRecord, ...]
    settings: tuple[SettingRow, ...]
    versions: tuple[SettingRow, ...]
    inputs: tuple[SettingRow, ...]
    splits: dict[str, bool | None]
    figures: tuple[FigureRow, ...]
    cautions: tuple[str, ...]


def compare_runs(runs: Sequence[RunRecord]) -> Comparison:
    """Hold runs against each other.

    Args:
        runs: Two or more, with names that differ.

    Raises:
        DataError: There are fewer than two, or two have one name.
    """
    names = [run.name for run in runs]
    if len(set(names)) != len(names) or len(names) < FEWEST:
        raise DataError("runs are compared with other runs", expected="two or more different ones", found=names)
    splits = {split: _same_split(runs, split) for split in SPLITS}
    limits = {_setting(run, "evaluate", "limit") for run in runs if run.evaluated}
    tested_alike = splits["test"] is True and len(limits) <= 1
    figures = [
        FigureRow(name, more, tuple(_measured(run, name) for run in runs), tested_alike)
        for name, more in EVALUATION_FIGURES.items()
    ]
    losses = tuple(run.trained.result.best_val_loss if run.trained else None for run in runs)
    loss = FigureRow(VALIDATION_LOSS, more_is_better=False, values=losses, comparable=_same_loss(runs, splits))
    return Comparison(
        runs=tuple(runs),
        settings=_differing(runs, lambda run: run.settings, _shared(runs)),
        versions=_differing(runs, _versions, ("",)),
        inputs=_differing(runs, _inputs, _shared(runs)),
        splits=splits,
        figures=tuple(row for row in (*figures, loss) if any(value is not None for value in row.values)),
        cautions=tuple(_cautions(runs, splits, limits, loss)),
    )


def _measured(run: RunRecord, name: str) -> float | None:
    return run.evaluated.figure("tuned", name) if run.evaluated else None


def _setting(run: RunRecord, phase: str, name: str) -> Any:
    return run.settings.get(f"{phase}.{name}")


def _same_split(runs: Sequence[RunRecord], split: str) -> bool | None:
    prepared = {run.prepared_digest for run in runs}
    if len(prepared) == 1 and None not in prepared:
        return True
    digests = {run.split_digest(split) for run in runs}
    return None if None in digests else len(digests) == 1


def _same_loss(runs: Sequence[RunRecord], splits: dict[str, bool | None]) -> bool:
    trained = [run.manifests["train"] for run in runs if run.trained]
    # Another model has other tokens, and a mean over other tokens says nothing.
    models = {manifest.inputs.get("model") for manifest in trained}
    boxes = {str(manifest.facts.get("boxes")) for manifest in trained}
    told = {str([_setting(run, "train", name) for name in OF_THE_TOKENS]) for run in runs if run.trained}
    return splits["val"] is True and max(len(models), len(boxes), len(told)) <= 1


def _shared(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Return how the settings' names begin that are compared: a phase that one has not done differs in everything."""
    return tuple(f"{phase}." for phase in runs[0].manifests if all(phase in run.manifests for run in runs))


def _versions(run: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for manifest in run.manifests.values():
        found |= manifest.versions
    return found


def _inputs(run: RunRecord) -> dict[str, Any]:
    return {
        f"{phase}.{name}": digest
        for phase, manifest in run.manifests.items()
        for name, digest in manifest.inputs.items()
        # What an earlier phase made is told by that phase's own settings and inputs.
        if name not in PHASES[: PHASES.index(phase)]
    }


def _differing(
    runs: Sequence[RunRecord], of: Callable[[RunRecord], dict[str, Any]], beginnings: tuple[str, ...]
) -> tuple[SettingRow, ...]:
    values = [of(run) for run in runs]
    names = [name for name in dict.fromkeys(name for one in values for name in one) if name.startswith(beginnings)]
    rows = (SettingRow(name, tuple(one.get(name) for one in values)) for name in names)
    return tuple(row for row in rows if any(value != row.values[0] for value in row.values))


def _cautions(
    runs: Sequence[RunRecord], splits: dict[str, bool | None], limits: set[Any], loss: FigureRow
) -> Iterable[str]:
    evaluated = [run for run in runs if run.evaluated]
    if len(evaluated) > 1:
        if splits["test"] is False:
            yield "The test splits differ by digest: the evaluation's figures are not comparable."
        elif splits["test"] is None:
            yield "Whether the test splits are the same is not known: the evaluation's figures are not compared."
        elif len(limits) > 1:
            yield "Another number of test frames was evaluated (limit): the evaluation's figures are not comparable."
        if len({str(run.manifests["evaluate"].facts.get("prompts")) for run in evaluated}) > 1:
            yield "The evaluation asked other questions; the difference may be the questions'."
    if len([value for value in loss.values if value is not None]) > 1 and not loss.comparable:
        yield (
            "The validation losses are not comparable: they are means over other tokens "
            "(another validation split, model or choice of samples)."
        )
    for run in runs:
        if run.trained is None:
            yield f"The training of {run.name} is not done: its settings are not known, its curve is what there is."
        elif run.evaluated is None:
            yield f"{run.name} is not evaluated."
