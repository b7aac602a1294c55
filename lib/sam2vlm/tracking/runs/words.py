"""A comparison as texts, the same for the terminal, for Markdown and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.tracking.runs.comparison import Comparison, FigureRow
    from sam2vlm.tracking.runs.record import RunRecord

__all__ = [
    "NOTHING",
    "figure_rows",
    "measured",
    "plain",
    "setting_rows",
    "split_rows",
    "standing_rows",
    "title_of",
    "verdict",
]

NOTHING = "-"
DIRECTION = {True: "more", False: "less"}
SAME = {True: "the same", False: "different", None: "not known"}


def title_of(comparison: Comparison) -> str:
    """Return the comparison's title: its runs' names."""
    *most, last = (plain(run.name) for run in comparison.runs)
    return f"{', '.join(most)} and {last}"


def plain(value: Any) -> str:
    """Return a value of a run's files on one line, without what would command a terminal."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = ", ".join(map(plain, value)) if isinstance(value, list) else str(value)
    return text if text.isprintable() else ascii(text)[1:-1]


def verdict(row: FigureRow, names: Sequence[str]) -> str:
    """Return which run is better by how much.

    Args:
        row: One figure.
        names: The runs'.
    """
    if not row.comparable:
        return "not comparable"
    if not row.best:
        return NOTHING
    best = " and ".join(plain(names[place]) for place in row.best)
    if row.margin is None:
        return "all equal" if len(row.best) == len(names) else f"{best}, equal"
    value = row.values[row.best[0]]
    other = value - row.margin if row.more_is_better else value + row.margin  # type: ignore[operator]  # best has one
    share = f" ({100 * row.margin / abs(other):.1f} %)" if other else ""
    return f"{best}, by {row.margin:.4g}{share}"


def figure_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row a figure: its name, which way is better, each run's value, the verdict."""
    names = [run.name for run in comparison.runs]
    return [
        (row.name, DIRECTION[row.more_is_better], *map(measured, row.values), verdict(row, names))
        for row in comparison.figures
    ]


def setting_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row a setting, and behind them inputs by digest and versions: its name and each run's value."""
    rows = [(plain(row.name), *map(plain, row.values)) for row in comparison.settings]
    # As many digits as git shows: enough to tell apart, short enough to read.
    rows += [(f"input {plain(row.name)}", *(plain(value)[:12] for value in row.values)) for row in comparison.inputs]
    return rows + [(f"version of {plain(row.name)}", *map(plain, row.values)) for row in comparison.versions]


def split_rows(comparison: Comparison) -> list[tuple[str, str]]:
    """Return each split and whether it is the same in all runs."""
    return [(split, SAME[same]) for split, same in comparison.splits.items()]


def standing_rows(runs: Sequence[RunRecord]) -> list[tuple[str, ...]]:
    """Return a row a run: name, the phases' standing, experiment, model, steps, best validation loss."""
    rows = []
    for run in runs:
        result = run.trained.result if run.trained else None
        rows.append(
            (
                plain(run.name),
                *(standing.value for standing in run.standing.values()),
                plain(run.experiment),
                plain(run.trained.base_model.name if run.trained else None),
                plain(result.steps if result else None),
                measured(result.best_val_loss if result else None),
            )
        )
    return rows


def measured(value: float | None) -> str:
    """Return a figure with four digits, or a count without any."""
    if value is None:
        return UNDEFINED
    return str(value) if isinstance(value, int) else f"{value:.4f}"
