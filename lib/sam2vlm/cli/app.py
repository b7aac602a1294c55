"""The console script: every sub-command, and how an error of ours leaves it."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from sam2vlm.cli import cluster, config, models, phases, plan, presets, run, runs, settings
from sam2vlm.cli.lazy import LazyGroup
from sam2vlm.errors import Sam2vlmError, from_os_error

__all__ = ["app", "main"]

PHASES = "Phases, settings from the environment (`sam2vlm settings`)"
TOOLS = "Tools"

app = typer.Typer(
    name="sam2vlm",
    cls=LazyGroup,
    help="From a SAM 2 mask export to a fine-tuned, evaluated and packaged vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command(rich_help_panel=PHASES)(run.run)
app.command(rich_help_panel=PHASES)(phases.prepare)
app.command(rich_help_panel=PHASES)(phases.train)
app.command(rich_help_panel=PHASES)(phases.evaluate)
app.command(rich_help_panel=PHASES)(phases.export)


@app.command(rich_help_panel=TOOLS)
def sample() -> None:
    """Write a synthetic export in the SAM 2 demo tool's layout: moving things of named classes, and their masks."""
    # Only its name and this sentence are ever used: calling it imports sam2vlm.cli.sample, whose drawing needs numpy.
    raise AssertionError


@app.command(rich_help_panel=TOOLS)
def preview() -> None:
    """Draw prepared frames with masks, boxes and conversations; boxes are read back from the answers' own text."""
    # As above; the drawing needs numpy, and the dataset its own library.
    raise AssertionError


app.command(rich_help_panel=TOOLS)(settings.settings)
app.command(rich_help_panel=TOOLS)(presets.presets)
app.command(rich_help_panel=TOOLS)(models.models)
app.command(rich_help_panel=TOOLS)(plan.plan)
app.add_typer(config.config, name="config", rich_help_panel=TOOLS)
app.add_typer(runs.runs, name="runs", rich_help_panel=TOOLS)
app.add_typer(cluster.cluster, name="cluster", rich_help_panel=TOOLS)


@app.command(rich_help_panel=TOOLS)
def version() -> None:
    """Print the version."""
    from sam2vlm import __version__

    typer.echo(__version__)


def main() -> NoReturn:
    """Run the command line; an error of ours ends as one sentence on standard error and its own exit code."""
    try:
        app()
    except Sam2vlmError as error:
        _end(error)
    except OSError as error:
        _end(from_os_error(error, doing="running the command"))
    sys.exit(0)


def _end(error: Sam2vlmError) -> NoReturn:
    typer.echo(f"sam2vlm: {error}", err=True)
    sys.exit(error.exit_code)
