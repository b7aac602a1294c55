"""Frames to COCO instances, one JSON document a split.

What readers ask for, and what is therefore written: ids are whole numbers from 1 (category 0 is no label to
datumaro, and with it to CVAT), masks lie on the picture's own grid (FiftyOne cuts them out by the box, pycocotools
compares them pixel by pixel), ``file_name`` is relative to the picture folder. Masks are compressed RLE with
``iscrowd`` 0: pycocotools, FiftyOne and datumaro read it, it is the mask itself, and a polygon would lose its holes.
Whoever wants polygons finds them in the YOLO output, with the IoU that they cost.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from sam2vlm.annotations import in_reading_order
from sam2vlm.annotations.resampling import resampled_masks
from sam2vlm.artifacts import open_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sam2vlm.annotations import Frame, Mask, ObjectAnnotation
    from sam2vlm.data_converter.output_writer import Sample, Write

__all__ = ["UNNAMED", "CocoWriter", "category_names"]

#: What objects without a label are called, where a format asks for a name.
UNNAMED = "object"
_BATCH_FRAMES = 16


def category_names(labels: Sequence[str]) -> list[str]:
    """Return the categories' names in their order: the labels, with :data:`UNNAMED` in place of the empty one."""
    return sorted({label or UNNAMED for label in labels})


class CocoWriter:
    """Writes ``<split>.json``; an :class:`sam2vlm.data_converter.output_writer.OutputWriter`.

    The same category, track and (across the splits) image and annotation never share an id with another. Beside
    COCO's own fields, an image has ``sample_id``, ``video_id``, ``frame_index`` and ``timestamp_sec``, and an
    annotation ``object_id`` (of its video) and ``track_id`` (of the whole dataset).

    Args:
        folder: Gets the documents.
        categories: Of :func:`category_names`.
    """

    def __init__(self, folder: Path, categories: Sequence[str]) -> None:
        self._folder = folder
        self._numbers = {name: number for number, name in enumerate(categories, 1)}
        self._tracks: dict[tuple[str, int], int] = {}
        self._images: Counter[str] = Counter()
        self._annotations: Counter[str] = Counter()

    @contextlib.contextmanager
    def split(self, split: str) -> Iterator[Write]:
        """Open a split; see :class:`sam2vlm.data_converter.output_writer.OutputWriter`."""
        self._images[split], self._annotations[split] = 0, 0
        categories = [{"id": number, "name": name, "supercategory": UNNAMED} for name, number in self._numbers.items()]
        # Annotations come after all images in the document, and wait in a file without a name.
        with (
            open_atomic(self._folder / f"{split}.json", "w") as document,
            tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._folder) as waiting,
        ):
            document.write(f'{{"info": {_json({"description": f"sam2vlm, the {split} split"})},\n"licenses": [],\n')
            document.write(f'"categories": {_json(categories)},\n"images": [')
            batch: list[_Seen] = []

            def write(sample: Sample) -> None:
                if not sample.annotated:
                    return
                batch.append(_seen(sample))
                # Masks are brought onto the pictures' grid together, at less than half the cost of one frame's.
                if len(batch) == _BATCH_FRAMES:
                    self._write(batch, split, document, waiting)
                    batch.clear()

            yield write
            self._write(batch, split, document, waiting)
            document.write('],\n"annotations": [')
            waiting.seek(0)
            shutil.copyfileobj(waiting, document)
            document.write("]}\n")

    def finish(self) -> dict[str, Any]:
        """Say what was written."""
        return {
            "images": dict(self._images),
            "annotations": dict(self._annotations),
            "categories": dict(self._numbers),
            "tracks": len(self._tracks),
        }

    def _write(self, batch: Sequence[_Seen], split: str, document: IO[str], waiting: IO[str]) -> None:
        for seen, masks in zip(batch, _masks_on_pictures(batch), strict=True):
            frame = seen.frame
            document.write("\n" if not self._images[split] else ",\n")
            self._images[split] += 1
            image_id = self._images.total()
            document.write(_json(_image(frame, seen.file_name, image_id)))
            for item, mask in zip(seen.objects, masks, strict=True):
                waiting.write("\n" if not self._annotations[split] else ",\n")
                self._annotations[split] += 1
                annotation = {
                    "id": self._annotations.total(),
                    "image_id": image_id,
                    "category_id": self._numbers[item.label or UNNAMED],
                    "bbox": item.bbox,
                    "area": item.area,
                    "segmentation": mask.coco(),
                    "iscrowd": 0,
                    "object_id": item.object_id,
                    "track_id": self._tracks.setdefault((frame.video_id, item.object_id), len(self._tracks) + 1),
                }
                waiting.write(_json(annotation))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame that is to be written, its picture's name, and what can be seen in it."""

    frame: Frame
    file_name: str
    objects: Sequence[ObjectAnnotation]


def _seen(sample: Sample) -> _Seen:
    objects = in_reading_order(sample.frame.visible_objects, lambda item: (item.bbox or (0, 0, 0, 0), item.label))
    return _Seen(sample.frame, sample.picture_name, objects)


def _masks_on_pictures(batch: Sequence[_Seen]) -> Iterator[Sequence[Mask]]:
    """Yield the masks of each frame's objects, on the grid of its picture."""
    for (height, width), frames in itertools.groupby(batch, lambda seen: (seen.frame.height, seen.frame.width)):
        objects = [seen.objects for seen in frames]
        masks = iter(
            resampled_masks([item.mask for some in objects for item in some if item.mask is not None], height, width)
        )
        yield from ([next(masks) for _ in some] for some in objects)


def _image(frame: Frame, file_name: str, image_id: int) -> dict[str, Any]:
    return {
        "id": image_id,
        "file_name": file_name,
        "width": frame.width,
        "height": frame.height,
        "sample_id": frame.sample_id,
        "video_id": frame.video_id,
        "frame_index": frame.frame_index,
        "timestamp_sec": frame.timestamp_sec,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
