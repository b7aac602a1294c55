"""``sam2vlm presets``: what each preset sets."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["presets", "presets_markdown"]

#: Rows of the table: where the value is in a configuration.
SHOWN = (
    "model.name",
    "data.max_length",
    "training.method",
    "training.lora.rank",
    "training.lora.alpha",
    "training.lora.dropout",
    "training.lora.target_modules",
    "training.learning_rate",
    "training.lr_scheduler",
    "training.warmup_ratio",
    "training.weight_decay",
    "training.max_grad_norm",
    "training.batch_size",
    "training.gradient_accumulation_steps",
    "training.num_epochs",
    "devices.precision",
    "devices.zero_stage",
    "devices.gradient_checkpointing",
    "devices.processes_per_node",
    "devices.nodes",
    "checkpoints.save_every_steps",
    "checkpoints.keep_newest",
    "tracking.logging_every_steps",
    "tracking.eval_every_steps",
    "tracking.early_stopping_patience",
)


def presets(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show the training presets and their values."""
    from sam2vlm.cli.tables import print_json, print_table
    from sam2vlm.config import ConfigPresets

    names = ConfigPresets.names()
    if as_json:
        print_json([{"name": name, "description": ConfigPresets.description(name), **_values(name)} for name in names])
        return
    print_table(
        "Presets (SAM2VLM_PRESET)",
        ("Preset", "For", "In this version"),
        [(name, ConfigPresets.description(name), _standing(name)) for name in names],
    )
    print_table("Their values", ("Setting", *names), _rows())


def presets_markdown() -> str:
    """Return the presets' part of docs/settings.md."""
    from sam2vlm.cli.tables import markdown_table
    from sam2vlm.config import ConfigPresets

    names = ConfigPresets.names()
    purposes = [(f"`{name}`", ConfigPresets.description(name), _standing(name)) for name in names]
    values = [(f"`{path}`", *cells) for path, *cells in _rows()]
    return (
        '## Presets\n\nWhat "from the preset" stands for above; `SAM2VLM_PRESET` chooses.\n\n'
        + markdown_table(("Preset", "For", "In this version"), purposes)
        + "\n"
        + markdown_table(("Setting", *names), values)
    )


def _values(name: str) -> dict[str, Any]:
    from sam2vlm.config import ConfigPresets

    # The paths belong to a run, not to the preset, and are not shown.
    return ConfigPresets.get(name, data_path="train", val_path="val").model_dump(mode="json")


def _standing(name: str) -> str:
    from sam2vlm.config import ConfigPresets, refuse_unsupported
    from sam2vlm.errors import SettingsError

    try:
        refuse_unsupported(ConfigPresets.get(name, data_path="train", val_path="val"))
    except SettingsError as error:
        return f"refused: {error.message}"
    return "runs"


def _rows() -> list[tuple[str, ...]]:
    from sam2vlm.config import ConfigPresets

    every = [_values(name) for name in ConfigPresets.names()]
    return [(path, *(_cell(values, path) for values in every)) for path in SHOWN]


def _cell(values: dict[str, Any], path: str) -> str:
    found: Any = values
    for part in path.split("."):
        found = found[part]
    if found is None:
        return "default"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return f"{found:g}" if isinstance(found, float) else str(found)
