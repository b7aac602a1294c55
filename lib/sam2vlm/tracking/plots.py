"""``plots/loss.png`` and ``plots/loss.svg``: the losses over the steps, the same bytes for the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["plot_losses"]


def plot_losses(lines: Sequence[dict[str, Any]], folder: Path, *, best_step: int | None) -> None:
    """Draw training and validation loss.

    Args:
        lines: Of ``metrics.jsonl``: ``loss`` on logging steps, ``eval_loss`` on evaluations.
        folder: Where ``loss.png`` and ``loss.svg`` go.
        best_step: Marked with a line, where given.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    # SVG identifiers are random and files are dated unless told otherwise; text as paths needs no fonts to be shown.
    with mpl.rc_context({"svg.hashsalt": "sam2vlm", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        figure = _draw(lines, best_step)
        for canvas, name, metadata in (
            (FigureCanvasAgg(figure), "loss.png", {"Software": None}),
            (FigureCanvasSVG(figure), "loss.svg", {"Date": None, "Creator": None}),
        ):
            with open_atomic(folder / name) as stream:
                canvas.print_figure(stream, format=name[-3:], metadata=metadata, dpi=100)


def _draw(lines: Sequence[dict[str, Any]], best_step: int | None) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, label, style in (("loss", "training", "-"), ("eval_loss", "validation", "o-")):
        points = [(line["step"], line[name]) for line in lines if name in line]
        axes.plot([step for step, _ in points], [value for _, value in points], style, label=label, markersize=4)
    if best_step is not None:
        axes.axvline(best_step, color="grey", linestyle=":", label=f"best: step {best_step}")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss, nats a token of the answer")
    axes.set_yscale("log")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return figure
