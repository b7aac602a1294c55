"""``sam2vlm models``: the registry, with what each model needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sam2vlm.config import ModelEntry

__all__ = ["models"]

COLUMNS = ("Name", "Type", "Parameters", "Image tokens", "Boxes", "LoRA, batch 4", "Licence", "In this version")
CAPTION = "GB by formula, at rank 64; `sam2vlm plan` simulates a training step."


def models(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show the models: size, box convention, memory for LoRA, licence, and which can be trained."""
    from sam2vlm.cli.tables import print_json, print_table
    from sam2vlm.config import ModelRegistry, estimate_memory

    entries = [ModelRegistry.get(name) for name in ModelRegistry.names()]
    if as_json:
        print_json(
            [
                {
                    **entry.model_dump(mode="json"),
                    "trainable": entry.trainable,
                    "memory": dict(estimate_memory(entry)),
                }
                for entry in entries
            ]
        )
        return
    print_table("Models (SAM2VLM_MODEL)", COLUMNS, [_cells(entry) for entry in entries], caption=CAPTION)


def _cells(entry: ModelEntry) -> tuple[str, ...]:
    from sam2vlm.config import estimate_memory

    # A simulation takes seconds a model, a list of all models must not.
    needed = estimate_memory(entry)
    return (
        entry.name,
        entry.type.value,
        _in_words(entry.parameters),
        str(entry.image_tokens),
        f"{entry.boxes.kind}, {entry.boxes.decimals} decimals",
        f"{needed['total_vram_gb']} GB",
        entry.licence,
        "can be trained" if entry.refusal is None else entry.refusal,
    )


def _in_words(parameters: int) -> str:
    billion = 1_000_000_000
    return f"{parameters / billion:.2f} B" if parameters >= billion / 10 else f"{parameters / 1_000_000:.1f} M"
