"""``sam2vlm settings``: every setting of every phase, on the terminal, as Markdown or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sam2vlm.cli.settings_table import Setting

__all__ = ["settings", "settings_markdown"]

COLUMNS = ("Variable", "Type", "Unit", "Default", "Meaning")
INTRODUCTION = """\
# Settings

Written by `sam2vlm settings --markdown` from the settings models; a test compares the two, so change the models.

Each phase reads environment variables, over the JSON file that `SAM2VLM_SETTINGS_FILE` names, over the defaults
below. In the file the groups nest (`{"lora": {"rank": 8}}`), in a variable they are joined by two underscores
(`SAM2VLM_LORA__RANK=8`). An unknown name or an impossible value ends the phase with exit code 78 and one sentence.
One environment serves all phases: each takes its own settings from it.
"""


def settings(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/settings.md has it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show every setting of every phase: variable, type, unit, default, meaning."""
    from sam2vlm.cli.tables import print_json, print_table

    rows = _all()
    if as_json:
        print_json([row.as_json() for row in rows])
    elif markdown:
        typer.echo(settings_markdown(), nl=False)
    else:
        for phase in dict.fromkeys(row.phase for row in rows):
            print_table(phase, COLUMNS, [_cells(row) for row in rows if row.phase == phase])


def settings_markdown() -> str:
    """Return the text of docs/settings.md: every phase's settings and the presets' values."""
    from sam2vlm.cli.presets import presets_markdown
    from sam2vlm.cli.tables import markdown_table

    rows = _all()
    parts = [INTRODUCTION]
    for phase in dict.fromkeys(row.phase for row in rows):
        cells = [_cells(row) for row in rows if row.phase == phase]
        marked = [(f"`{variable}`", *rest) for variable, *rest in cells]
        parts.append(f"## {phase[0].upper()}{phase[1:]}\n\n{markdown_table(COLUMNS, marked)}")
    parts.append(presets_markdown())
    return "\n".join(parts)


def _all() -> list[Setting]:
    from jobs.catalog import PHASE_SETTINGS
    from jobs.job_settings import JobSettings
    from sam2vlm.cli.settings_table import all_settings

    return all_settings(PHASE_SETTINGS, JobSettings)


def _cells(row: Setting) -> tuple[str, ...]:
    return row.variable, row.type, row.unit, row.default, row.meaning
