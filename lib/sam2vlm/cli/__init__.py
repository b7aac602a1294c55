"""The ``sam2vlm`` command. Its modules import what they need when they run, so that ``--help`` is there at once."""

from sam2vlm.cli.app import app, main

__all__ = ["app", "main"]
