"""A sample of our own: a synthetic video, exported as the SAM 2 demo's tool exports one, with any defect on request.

The names are loaded when they are asked for: ``sam2vlm --help`` lists the defects and needs neither numpy nor Pillow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sam2vlm.sample.defects import DEFECTS
    from sam2vlm.sample.dialects import DIALECTS
    from sam2vlm.sample.scene import Scene, View, make_scene
    from sam2vlm.sample.things import THINGS
    from sam2vlm.sample.writer import SampleSummary, write_sample

__all__ = ["DEFECTS", "DIALECTS", "THINGS", "SampleSummary", "Scene", "View", "make_scene", "write_sample"]

_HOMES = {
    "DEFECTS": "defects",
    "DIALECTS": "dialects",
    "THINGS": "things",
    "SampleSummary": "writer",
    "Scene": "scene",
    "View": "scene",
    "make_scene": "scene",
    "write_sample": "writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
