"""A few masks on SAM 2's logits grid, spread over an export, whose order somebody has to find out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.annotations.runs import runs_from_list, runs_from_text
from sam2vlm.data_converter.dialects import LOGITS_PIXELS
from sam2vlm.data_converter.frame_records import mask_of
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.annotations.runs import Runs
    from sam2vlm.data_converter.json_fields import JsonObject

__all__ = ["LogitsMask", "sampled_logits"]

# The scores settle within a few dozen masks, and each frame costs the decoding of a picture.
_FRAMES = 24
_MASKS = 120


@dataclass(frozen=True, slots=True)
class LogitsMask:
    """A mask on the 256 x 256 grid.

    Attributes:
        item: Its object, for messages.
        key: Its field.
        picture: The entry of its frame's picture.
        runs: Its runs, in an order that nothing tells.
    """

    item: JsonObject
    key: str
    picture: str
    runs: Runs


def sampled_logits(
    records: Mapping[int, JsonObject], pictures: Mapping[int, str], *, demo_tool: bool
) -> list[LogitsMask]:
    """Return masks without a size whose runs add up to the grid and that show something.

    What is malformed is passed over; reading it tells.

    Args:
        records: By frame index.
        pictures: By frame index.
        demo_tool: Whether the export says that the demo's tool wrote it: its strings are known then.
    """
    shown = [index for index in records if index in pictures]
    step = max(len(shown) // _FRAMES, 1)
    found: list[LogitsMask] = []
    for index in shown[::step]:
        objects = records[index].values.get("objects")
        if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
            continue
        for item in records[index].children("objects"):
            mask = _logits_mask(item, pictures[index], demo_tool=demo_tool)
            if mask is not None and len(found) < _MASKS:
                found.append(mask)
    return found


def _logits_mask(item: JsonObject, picture: str, *, demo_tool: bool) -> LogitsMask | None:
    try:
        key, value = mask_of(item)
        if isinstance(value, str) and not demo_tool:
            runs = runs_from_text(value)
        elif isinstance(value, list):
            runs = runs_from_list(value)
        else:
            return None
    except DataError:
        return None
    shows = runs.size > 1 and int(runs[1::2].sum()) > 0
    return LogitsMask(item, key, picture, runs) if shows and int(runs.sum()) == LOGITS_PIXELS else None
