"""Boxes: from a mask's grid to the frame, and the order in which people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sam2vlm.annotations.types import Box

__all__ = ["in_reading_order", "scale_box"]

Item = TypeVar("Item")


def scale_box(box: tuple[float, float, float, float], grid: tuple[int, int], frame: tuple[int, int]) -> Box:
    """Scale a box ``(x, y, w, h)`` from a mask's grid to its frame.

    Args:
        box: In grid pixels.
        grid: Width and height of the grid.
        frame: Width and height of the frame in pixels.

    Returns:
        The box in frame pixels: x and w by the ratio of the widths, y and h by that of the heights.
    """
    x, y, w, h = box
    across, down = frame[0] / grid[0], frame[1] / grid[1]
    return x * across, y * down, w * across, h * down


def in_reading_order(items: Iterable[Item], describe: Callable[[Item], tuple[Box, str]]) -> list[Item]:
    """Sort as a page is read: by (y1, x1, y2, x2, label).

    Args:
        items: What to sort; items that are equal in all five keep their order.
        describe: Returns an item's box ``(x, y, w, h)`` and label.
    """

    def key(item: Item) -> tuple[float, float, float, float, str]:
        (x, y, w, h), label = describe(item)
        return y, x, y + h, x + w, label

    return sorted(items, key=key)
