"""What every benchmark prints: a table for people, or a list of figures as JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

__all__ = ["Figure", "arguments", "report"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        figure: Its name.
        value: What was measured.
        goal: What was aimed at, in words ("<= 600").
        unit: Of the value.
        holds: Whether the goal is met; None where there is no goal.
    """

    figure: str
    value: float
    goal: str
    unit: str
    holds: bool | None


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def report(figures: list[Figure], *, as_json: bool, title: str) -> None:
    """Print the figures."""
    if as_json:
        json.dump([asdict(figure) for figure in figures], sys.stdout, indent=2)
        print()
        return
    table = Table(title=title)
    for column in ("figure", "value", "unit", "goal", "holds"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure in figures:
        holds = {True: "yes", False: "NO", None: ""}[figure.holds]
        table.add_row(figure.figure, f"{figure.value:.4g}", figure.unit, figure.goal, holds)
    Console().print(table)
