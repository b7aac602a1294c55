"""Sub-commands whose module is imported when they are called, not when the help is shown."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["LazyGroup"]

#: Where the command's function is; the help shows the stand-in that the application registers under its name.
LAZY = {"preview": "sam2vlm.cli.preview", "sample": "sam2vlm.cli.sample"}


class LazyGroup(TyperGroup):
    """A group that puts the real command in the stand-in's place once it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments name, importing it where it is a lazy one."""
        if args and args[0] in LAZY:
            self.commands[args[0]] = _load(args[0])
        return super().resolve_command(ctx, args)


def _load(name: str) -> Any:
    single = typer.Typer(add_completion=False)
    single.command(name=name)(getattr(importlib.import_module(LAZY[name]), name))
    return typer.main.get_command(single)
