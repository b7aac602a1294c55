"""Frames to YOLO segmentation: ``data.yaml``, ``images/<split>/...`` and a text file of polygons for each of them.

One line is one object. A line holds one polygon only, so an object in parts, or one with holes, becomes a single path:
its rings are joined by bridges of no width where they are nearest, there and back, as ultralytics' own converter
joins parts. Filled by the even-odd rule (``cv2.fillPoly``, which ultralytics uses) the path is the object again,
holes included. The other way, a line for each part, would make several objects of one.

Outlines run along the pixels' edges and are thinned out; what that costs is measured as IoU, and an outline that
would lose too much stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.artifacts import write_text
from sam2vlm.data_converter.coco_writer import UNNAMED
from sam2vlm.data_converter.conversations import one_line_json
from sam2vlm.data_converter.instructions.outlines import mask_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sam2vlm.annotations import Mask
    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["YoloWriter", "yolo_path"]

# Pixels of the mask's own grid: enough to take the stairs out of a slanted edge (half a diagonal is 0.71).
_TOLERANCE = 1.0
# Share of the largest part below which a part or a hole is left out: a bridge to it, which programs draw a pixel wide,
# would cost more than it is worth. Ours.
_SPECK = 0.01
# Ours: below this the thinned outline is not worth its brevity.
_LEAST_IOU = 0.95


class YoloWriter:
    """Writes the folder; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    Pictures are hard links to those of a :class:`sam2vlm.data_converter.picture_folder.PictureFolder` that stands
    before this writer, and copies where the file system has no links: ultralytics finds labels by replacing
    ``images`` in a picture's path, so it needs pictures of its own.

    Args:
        folder: Gets ``data.yaml``, ``images/`` and ``labels/``.
        classes: Their names, in the order of their numbers, from 0; of ``coco_writer.category_names``.
        pictures: The folder of the pictures.
    """

    def __init__(self, folder: Path, classes: Sequence[str], *, pictures: Path) -> None:
        self._folder = folder
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._pictures = pictures
        self._labels: dict[str, int] = {}
        self._joined = 0
        self._iou_sum, self._least_iou = 0.0, 1.0

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        self._labels[split] = 0
        yield lambda sample: self._write(sample, split)

    def finish(self) -> dict[str, Any]:
        """Write ``data.yaml``, whose paths are relative to its own folder."""
        lines = [f"{split}: images/{split}" for split in self._labels]
        lines += ["names:", *(f"  {number}: {one_line_json(name)}" for name, number in self._numbers.items())]
        write_text(self._folder / "data.yaml", "\n".join(lines) + "\n")
        objects = sum(self._labels.values())
        return {
            "objects": dict(self._labels),
            "classes": dict(self._numbers),
            "joined_objects": self._joined,
            "polygon_iou": {
                "mean": round(self._iou_sum / objects, 4) if objects else None,
                "least": round(self._least_iou, 4) if objects else None,
            },
        }

    def _write(self, sample: Sample, split: str) -> None:
        if not sample.annotated:
            return
        name = sample.picture_name
        _link(self._pictures / name, self._folder / "images" / split / name)
        lines = []
        for item in sample.frame.visible_objects:
            assert item.mask is not None  # noqa: S101  told to mypy; it is visible
            path, iou, rings = yolo_path(item.mask)
            self._iou_sum += iou
            self._least_iou = min(self._least_iou, iou)
            self._joined += rings > 1
            number = self._numbers[item.label or UNNAMED]
            lines.append(" ".join([str(number), *(f"{value:.6g}" for value in path.ravel())]) + "\n")
        self._labels[split] += len(lines)
        target = (self._folder / "labels" / split / name).with_suffix(".txt")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(lines), encoding="utf-8")


def yolo_path(mask: Mask) -> tuple[NDArray[np.float64], float, int]:
    """Return a mask's one path.

    Returns:
        Points of shape (points, 2), x and y as shares of the grid's width and height; the IoU of the path's inside
        with the mask; and how many rings were joined.
    """
    import shapely

    exact = mask_shape(mask)
    shape = _without_specks(shapely.simplify(exact, _TOLERANCE, preserve_topology=True))
    shared = shapely.intersection(shape, exact).area
    iou = float(shared / (shape.area + exact.area - shared))
    if iou < _LEAST_IOU:
        shape, iou = shapely.simplify(exact, 0.0), 1.0
    rings = [
        shapely.get_coordinates(ring)[:-1]
        for part in sorted(shapely.get_parts(shape), key=lambda part: (-part.area, part.bounds))
        for ring in (part.exterior, *part.interiors)
    ]
    path = _joined(rings) / (mask.width, mask.height)
    return path, iou, len(rings)


def _without_specks(shape: Any) -> Any:
    import shapely

    parts = shapely.get_parts(shape)
    least = _SPECK * max(part.area for part in parts)
    return shapely.multipolygons(
        [
            shapely.Polygon(part.exterior, [hole for hole in part.interiors if shapely.Polygon(hole).area >= least])
            for part in parts
            if part.area >= least
        ]
    )


def _joined(rings: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Join rings to one: each next one hangs on the point of the path that is nearest to it, there and back."""
    path = rings[0]
    for ring in rings[1:]:
        apart = ((path[:, None, :] - ring[None, :, :]) ** 2).sum(axis=2)
        here, there = divmod(int(apart.argmin()), len(ring))
        around = np.concatenate([ring[there:], ring[: there + 1]])
        path = np.concatenate([path[: here + 1], around, path[here:]])
    return path


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        # Some volumes have no hard links; the bytes are the same.
        shutil.copyfile(source, target)
