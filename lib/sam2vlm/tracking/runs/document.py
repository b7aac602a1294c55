"""A comparison as Markdown and as one HTML page that opens from a file."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from sam2vlm.artifacts import PHASES
from sam2vlm.artifacts.markdown import escaped, table
from sam2vlm.tracking.plots import draw_overlay
from sam2vlm.tracking.runs.words import (
    figure_rows,
    plain,
    setting_rows,
    split_rows,
    standing_rows,
    title_of,
)
from sam2vlm.validation.html_report import page_environment, render_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sam2vlm.tracking.runs.comparison import Comparison

__all__ = ["RUN_COLUMNS", "comparison_curves", "comparison_markdown", "comparison_page"]

RUN_COLUMNS = ("Run", *PHASES, "Experiment", "Model", "Steps", "Validation loss")
NO_DIFFERENCE = "Of the phases that all runs have done, no setting, input or version differs."
NO_SETTINGS = "No phase is done in all of the runs, so their settings cannot be compared."


def comparison_curves(comparison: Comparison) -> dict[str, bytes]:
    """Return the losses over each other as ``png`` and ``svg``; nothing where no run has any."""
    curves = {plain(run.name): run.curve for run in comparison.runs if run.curve}
    return draw_overlay(curves) if curves else {}


def comparison_markdown(comparison: Comparison, *, picture: str | None) -> str:
    """Return the comparison as Markdown: the same runs give the same bytes.

    Args:
        comparison: The runs'.
        picture: The curves' file, relative to the document; None where there is none.
    """
    return "\n".join(_lines(comparison, picture)).rstrip("\n") + "\n"


def comparison_page(comparison: Comparison) -> str:
    """Return the comparison as one page: no script, no network, the picture inside."""
    import jinja2

    curves = comparison_curves(comparison)
    source = f"data:image/svg+xml;base64,{base64.b64encode(curves['svg']).decode()}" if curves else None
    return render_page(
        page_environment(jinja2.PackageLoader("sam2vlm.tracking.runs")),
        "comparison.html.jinja",
        title=title_of(comparison),
        names=[plain(run.name) for run in comparison.runs],
        columns=RUN_COLUMNS,
        rows=standing_rows(comparison.runs),
        cautions=comparison.cautions,
        figures=figure_rows(comparison),
        curves=source,
        losses=_losses(comparison),
        settings=setting_rows(comparison),
        no_settings=_no_settings(comparison),
        splits=split_rows(comparison),
    )


def _lines(comparison: Comparison, picture: str | None) -> Iterator[str]:
    names = [escaped(plain(run.name)) for run in comparison.runs]
    yield from (f"# Runs: {escaped(title_of(comparison))}", "")
    yield from (table(RUN_COLUMNS, map(_escaped, standing_rows(comparison.runs))), "")
    yield from (f"- **Caution**: {escaped(caution)}" for caution in comparison.cautions)
    yield from ("", "## Which is better", "")
    yield table(("Figure", "Better is", *names, "Better, by how much"), map(_escaped, figure_rows(comparison)))
    if picture:
        yield from ("", "## Loss", "", f"![Training and validation loss of the runs over the steps](<{picture}>)")
    yield from ("", "## Settings that differ", "")
    rows = setting_rows(comparison)
    yield table(("Setting", *names), map(_escaped, rows)) if rows else _no_settings(comparison)
    yield from ("", "## Data", "")
    yield table(("Split", "In all runs"), split_rows(comparison))


def _no_settings(comparison: Comparison) -> str:
    done = set.intersection(*(set(run.manifests) for run in comparison.runs))
    return NO_DIFFERENCE if done else NO_SETTINGS


def _escaped(row: Sequence[str]) -> list[str]:
    return [escaped(cell) for cell in row]


def _losses(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the validation losses in words: a row a step at which any run was evaluated."""
    curves = [{line["step"]: line["eval_loss"] for line in run.curve if "eval_loss" in line} for run in comparison.runs]
    steps = sorted({step for curve in curves for step in curve})
    return [(str(step), *(f"{curve[step]:.4f}" if step in curve else "" for curve in curves)) for step in steps]
