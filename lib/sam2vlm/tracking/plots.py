"""A run's figures over its steps as PNG and SVG, the same bytes for the same figures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import open_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Lines = Sequence[Mapping[str, Any]]

__all__ = ["OPTIMIZATION", "PREDICTIONS", "SPEED", "draw_overlay", "plot_losses", "plot_panels", "write_pictures"]

LOSS = "loss, nats a token of the answer"
STEP = "optimizer step"
#: The panels of what the optimizer does, of what the machine does, and of the few frames that are asked about on the
#: way: the figure's name and the axis's text.
OPTIMIZATION = (
    ("learning_rate", "learning rate"),
    ("grad_norm", "gradient norm"),
    ("useful_token_share", "useful share of the tokens"),
)
SPEED = (
    ("tokens_per_second", "useful tokens a second"),
    ("samples_per_second", "samples a second"),
    ("peak_memory_gib", "peak memory, GiB"),
)
PREDICTIONS = (
    ("predictions_mAP50", "mAP50"),
    ("predictions_mean_iou", "mean IoU"),
    ("predictions_count_accuracy", "count accuracy"),
)
#: With more points than this their marks would hide the line.
MOST_MARKS = 40


def plot_losses(lines: Lines, folder: Path, *, best_step: int | None) -> None:
    """Draw training and validation loss.

    Args:
        lines: Of ``metrics.jsonl``: ``loss`` on logging steps, ``eval_loss`` on evaluations.
        folder: Where ``loss.png`` and ``loss.svg`` go.
        best_step: Marked with a line, where given.
    """
    figure, axes = _one_panel()
    for name, label, style in (("loss", "training", "-"), ("eval_loss", "validation", "o-")):
        _draw_line(axes, lines, name, style, label=label)
    if best_step is not None:
        axes.axvline(best_step, color="grey", linestyle=":", label=f"best: step {best_step}")
    axes.legend()
    write_pictures(_rendered(figure), folder, "loss")


def plot_panels(lines: Lines, folder: Path, name: str, panels: Sequence[tuple[str, str]], *, style: str = "-") -> None:
    """Draw one panel a figure, below each other; a figure that no line has is left out, and no figure no file.

    Args:
        lines: Of ``metrics.jsonl`` or of ``speed.jsonl``.
        folder: Where ``<name>.png`` and ``<name>.svg`` go.
        name: Of the files.
        panels: Each figure's name and its axis's text: :data:`OPTIMIZATION`, :data:`SPEED` or
            :data:`PREDICTIONS`.
        style: Of the lines, as matplotlib writes it; with a mark where one point may be all there is.
    """
    from matplotlib.figure import Figure

    shown = [(key, text) for key, text in panels if any(key in line for line in lines)]
    if not shown:
        return
    figure = Figure(figsize=(8, 1 + 2 * len(shown)), layout="constrained")
    for place, (key, text) in enumerate(shown, 1):
        axes = figure.add_subplot(len(shown), 1, place)
        _draw_line(axes, lines, key, style)
        axes.set_ylabel(text)
        axes.grid(visible=True, alpha=0.3)
    axes.set_xlabel(STEP)
    write_pictures(_rendered(figure), folder, name)


def draw_overlay(runs: Mapping[str, Lines]) -> dict[str, bytes]:
    """Draw the losses of several runs over each other: training as a line, validation broken and with marks.

    Args:
        runs: Each one's name and lines.

    Returns:
        The file's bytes by its suffix, ``png`` and ``svg``.
    """
    figure, axes = _one_panel()
    for number, (run, lines) in enumerate(runs.items()):
        # A dollar sign would start a formula, and a leading underscore would hide the line from the legend.
        name, colour = run.replace("$", r"\$"), f"C{number % 10}"
        name = f" {name}" if name.startswith("_") else name
        _draw_line(axes, lines, "loss", "-", color=colour, alpha=0.6, label=f"{name}, training")
        _draw_line(axes, lines, "eval_loss", "o--", color=colour, label=f"{name}, validation")
    if axes.lines:
        axes.legend()
    return _rendered(figure)


def write_pictures(pictures: Mapping[str, bytes], folder: Path, name: str) -> None:
    """Write ``<name>.png`` and ``<name>.svg`` atomically.

    Raises:
        OSError: They cannot be written there.
    """
    for suffix, data in pictures.items():
        with open_atomic(folder / f"{name}.{suffix}") as stream:
            stream.write(data)


def _one_panel() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(STEP)
    axes.set_ylabel(LOSS)
    axes.set_yscale("log")
    axes.grid(visible=True, which="both", alpha=0.3)
    return figure, axes


def _draw_line(axes: Any, lines: Lines, name: str, style: str, **options: Any) -> None:
    points = [(line["step"], line[name]) for line in lines if name in line]
    if points:
        marks = {"marker": ""} if len(points) > MOST_MARKS else {"markersize": 4}
        axes.plot([step for step, _ in points], [value for _, value in points], style, **marks, **options)


def _rendered(figure: Any) -> dict[str, bytes]:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    pictures = {}
    # SVG identifiers are random and files are dated unless told otherwise; text as paths needs no fonts to be shown.
    with mpl.rc_context({"svg.hashsalt": "sam2vlm", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        for canvas, suffix, metadata in (
            (FigureCanvasAgg(figure), "png", {"Software": None}),
            (FigureCanvasSVG(figure), "svg", {"Date": None, "Creator": None}),
        ):
            stream = io.BytesIO()
            canvas.print_figure(stream, format=suffix, metadata=metadata, dpi=100)
            pictures[suffix] = stream.getvalue()
    return pictures
