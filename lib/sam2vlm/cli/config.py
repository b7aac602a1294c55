"""``sam2vlm config``: look at, compare and check what a training would be, without starting one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sam2vlm.config import TrainingConfig

__all__ = ["config", "configuration_of_environment", "read_configuration"]

Which = Annotated[
    str | None,
    typer.Argument(
        metavar="[PRESET|FILE]", help="A preset's name or a configuration's file; default: the environment."
    ),
]
One = Annotated[str, typer.Argument(metavar="PRESET|FILE", help="A preset's name or a configuration's file.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

config = typer.Typer(
    name="config", help="Show, compare and check training configurations.", no_args_is_help=True, add_completion=False
)


@config.command()
def show(which: Which = None, *, as_json: AsJson = False) -> None:
    """Show a configuration: every value, in its unit, with its meaning."""
    from sam2vlm.artifacts import leaves
    from sam2vlm.cli.settings_table import fields_of, unit_of
    from sam2vlm.cli.tables import print_table

    found = configuration_of_environment() if which is None else read_configuration(which)
    values = found.model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    fields = {".".join(path): info for path, info in fields_of(type(found))}
    rows = []
    for name, value in leaves(values):
        # A group that is left out has no field of its own, only those inside of it.
        info = fields.get(name)
        rows.append((name, _text(value), unit_of(info) if info else "", (info.description or "") if info else ""))
    print_table(which or "From the environment", ("Setting", "Value", "Unit", "Meaning"), rows)


@config.command()
def diff(before: One, after: One, *, as_json: AsJson = False) -> None:
    """Show what is different between two configurations."""
    from sam2vlm.cli.tables import print_json, print_table
    from sam2vlm.config.differences import differences

    found = differences(read_configuration(before), read_configuration(after))
    if as_json:
        print_json([{"field": item.field, "before": item.before, "after": item.after} for item in found])
    elif not found:
        typer.echo(f"{before} and {after} are the same.")
    else:
        rows = [(item.field, _text(item.before), _text(item.after)) for item in found]
        print_table(f"{len(found)} settings differ", ("Setting", before, after), rows)


@config.command()
def validate(which: One) -> None:
    """Check a configuration: its values, what they mean together, and whether this version can train it."""
    from sam2vlm.config import refuse_unsupported

    found = read_configuration(which)
    refuse_unsupported(found)
    typer.echo(
        f"{which} is valid: {found.model.name}, {found.training.method.value}, {found.training.num_epochs} epochs."
    )


@config.command()
def schema() -> None:
    """Print the configuration's JSON Schema, for editors."""
    from sam2vlm.config import TrainingConfig

    typer.echo(json.dumps(TrainingConfig.model_json_schema(), ensure_ascii=False, indent=2))


def read_configuration(which: str) -> TrainingConfig:
    """Return the preset of that name, else what the file says; a file is known by its suffix or by being there."""
    from sam2vlm.config import ConfigPresets, TrainingConfig

    path = Path(which)
    if which not in ConfigPresets.names() and (path.suffix == ".json" or path.is_file()):
        return TrainingConfig.load_json(path)
    return ConfigPresets.get(which, data_path="prepare/dataset/train", val_path="prepare/dataset/val")


def configuration_of_environment() -> TrainingConfig:
    """Return what the train phase would make of the environment."""
    from jobs.catalog import known_names
    from jobs.job_settings import load_settings
    from jobs.train.settings import TrainSettings, training_config

    return training_config(load_settings(TrainSettings, known=known_names()))


def _text(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
