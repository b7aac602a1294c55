"""COCO's polygons to runs: checked here, drawn by pycocotools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.annotations.coco_rle import runs_from_counts
from sam2vlm.data_converter.json_fields import kind_of
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2vlm.annotations.runs import Runs

__all__ = ["runs_from_polygons"]

_LEAST_NUMBERS = 6  # three corners; pycocotools would read four numbers as a box


def runs_from_polygons(polygons: Sequence[object], height: int, width: int) -> Runs:
    """Return the column-major runs of the union of polygons, as ``COCO.annToRLE`` draws them.

    Args:
        polygons: Each a list ``[x1, y1, x2, y2, ...]`` in pixels.
        height: Of the picture, pixels.
        width: Of the picture, pixels.

    Raises:
        DataError: A polygon is no list of three or more corners, or a corner lies farther outside of the picture
            than the picture is large.
    """
    import pycocotools.mask

    drawn = [_checked(polygon, position, height, width) for position, polygon in enumerate(polygons)]
    union = pycocotools.mask.merge(pycocotools.mask.frPyObjects(drawn, height, width))
    return runs_from_counts(str(union["counts"], "ascii"))


def _checked(polygon: object, position: int, height: int, width: int) -> list[float]:
    if not isinstance(polygon, list):
        raise DataError(
            "wrong type for a polygon", expected="[x1, y1, x2, y2, ...]", found=f"{kind_of(polygon)} at {position}"
        )
    if len(polygon) < _LEAST_NUMBERS or len(polygon) % 2:
        raise DataError(
            "has a polygon without three corners",
            expected="an even count of 6 or more numbers",
            found=f"{len(polygon)} numbers at {position}",
        )
    for place, value in enumerate(polygon):
        if type(value) not in (int, float):
            raise DataError("has a corner that is no number", expected="numbers", found=f"{value!r} at {position}")
        side = height if place % 2 else width
        # pycocotools walks along each edge pixel by pixel: a far corner costs its distance in memory.
        if not -side <= value <= 2 * side:
            raise DataError(
                "has a corner far outside of the picture",
                expected=f"{'y' if place % 2 else 'x'} in a picture of {width} x {height}",
                found=f"{kind_of(value)} in polygon {position}",
            )
    return [float(value) for value in polygon]
