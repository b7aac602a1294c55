"""``sam2vlm runs``: what lies on the volume, what one run is, and which of several is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.tracking.runs import Comparison, RunRecord

__all__ = ["runs"]

SUFFIXES = (".md", ".html")
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

runs = typer.Typer(name="runs", help="List, show and compare runs.", no_args_is_help=True, add_completion=False)


@runs.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(help="Where to look; every run below it is found.")] = Path("runs"),
    *,
    as_json: AsJson = False,
) -> None:
    """List the runs below a folder, the one that was at work last first."""
    from sam2vlm.artifacts import PHASES
    from sam2vlm.cli.run_facts import LIST_COLUMNS, list_row, run_facts
    from sam2vlm.cli.tables import print_json, print_table
    from sam2vlm.tracking.runs import find_runs
    from sam2vlm.tracking.runs.words import plain

    found, torn = find_runs(folder)
    if as_json:
        print_json([*map(run_facts, found), *({"run": run.name, "problem": run.reason} for run in torn)])
    elif found or torn:
        blank = [""] * (len(LIST_COLUMNS) - 1 - len(PHASES))
        rows = [*map(list_row, found), *((plain(run.name), *["torn"] * len(PHASES), *blank) for run in torn)]
        caption = "Newest first by the files' own times: manifests hold none."
        print_table(f"Runs below {folder}", LIST_COLUMNS, rows, caption=caption)
    else:
        typer.echo(f"There is no run below {folder}.")
    if torn:
        # The others are listed first; a program still learns by the exit code that not all could be read.
        others = f"; {len(torn) - 1} more cannot be read either" if len(torn) > 1 else ""
        raise DataError(f"cannot be read: {torn[0].reason}{others}", source=torn[0].name)


@runs.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")], *, as_json: AsJson = False
) -> None:
    """Show one run: its phases, how training ended, the figures before and after, and every setting."""
    from sam2vlm.cli.run_facts import phase_rows, result_rows, run_facts
    from sam2vlm.cli.tables import print_table
    from sam2vlm.tracking.runs import read_run
    from sam2vlm.tracking.runs.words import plain

    record = read_run(run)
    if as_json:
        _print_object({**run_facts(record), "settings": record.settings})
        return
    print_table(plain(record.name), ("Phase", "Standing", "Seen", "Kept", "Dropped"), phase_rows(record))
    print_table("Result", ("Figure", "Before training", "After"), result_rows(record))
    settings = [(name, plain(value)) for name, value in record.settings.items()]
    print_table("Settings of the phases that are done", ("Setting", "Value"), settings)


@runs.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="The runs' folders, two or more.")],
    *,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="A .md document with the curves as .png and .svg beside it, or one .html page; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: settings that differ, curves over each other, and which is better by how much."""
    from sam2vlm.tracking.runs import compare_runs

    for path in out or ():
        if path.suffix.lower() not in SUFFIXES:
            raise SettingsError("cannot be written", field="--out", expected=" or ".join(SUFFIXES), found=path)
    comparison = compare_runs(_read_all(folders))
    for path in out or ():
        _write(comparison, path)
    if as_json:
        from sam2vlm.cli.run_facts import comparison_facts

        _print_object(comparison_facts(comparison))
    else:
        _print_comparison(comparison)
        for path in out or ():
            typer.echo(f"Written: {path}")


def _read_all(folders: Sequence[Path]) -> list[RunRecord]:
    from sam2vlm.tracking.runs import read_run

    names = [folder.resolve().name for folder in folders]
    # Two volumes may each have a run of one name; then the paths as they were typed tell them apart.
    told = names if len(set(names)) == len(names) else list(map(str, folders))
    return [read_run(folder, name=name) for folder, name in zip(folders, told, strict=True)]


def _print_comparison(comparison: Comparison) -> None:
    from sam2vlm.cli.tables import print_table
    from sam2vlm.tracking.runs.words import figure_rows, plain, setting_rows, split_rows, title_of

    names = [plain(run.name) for run in comparison.runs]
    settings = setting_rows(comparison)
    if settings:
        print_table("Settings that differ", ("Setting", *names), settings)
    else:
        typer.echo("No setting, input or version differs.")
    print_table("Data", ("Split", "In all runs"), split_rows(comparison))
    print_table(title_of(comparison), ("Figure", "Better is", *names, "Better, by how much"), figure_rows(comparison))
    for caution in comparison.cautions:
        typer.echo(f"Caution: {plain(caution)}")


def _write(comparison: Comparison, path: Path) -> None:
    from sam2vlm.artifacts import write_text
    from sam2vlm.tracking.plots import write_pictures
    from sam2vlm.tracking.runs.document import comparison_curves, comparison_markdown, comparison_page

    if path.suffix.lower() == ".html":
        write_text(path, comparison_page(comparison))
        return
    pictures, name = comparison_curves(comparison), f"{path.stem}-loss"
    write_pictures(pictures, path.parent, name)
    write_text(path, comparison_markdown(comparison, picture=f"{name}.svg" if pictures else None))


def _print_object(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
