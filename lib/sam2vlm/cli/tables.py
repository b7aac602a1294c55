"""Tables for people (rich), for documents (Markdown) and for programs (JSON) from the same rows."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["markdown_table", "print_json", "print_table"]

WIDE = 180


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str | None = None
) -> None:
    """Print a table as wide as the terminal; wide enough for every column where there is none.

    Args:
        title: Above the table.
        columns: The columns' headings.
        rows: One text a column.
        caption: Below the table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        # A name that is broken over two lines can be neither copied nor searched for.
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    asked = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(width=None if asked else WIDE).print(table)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a Markdown table, a newline at its end."""
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def print_json(values: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of objects as JSON, for programs."""
    sys.stdout.write(json.dumps(values, ensure_ascii=False, indent=2) + "\n")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
