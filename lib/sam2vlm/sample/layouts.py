"""How each kind of exporter lays frames out in an archive; memory does not grow with the number of frames."""

from __future__ import annotations

import io
import json
import tempfile
import textwrap
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PIL import Image

from sam2vlm.sample.dialects import (
    AUTOMATIC_MASKS,
    COCO_INSTANCES,
    PALETTE_PNG,
    SA_V,
    annotations_head,
    metadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from numpy.typing import NDArray

    from sam2vlm.sample.archive import ExportArchive
    from sam2vlm.sample.dialects import Envelope
    from sam2vlm.sample.frames import FrameMaker, MadeFrame

__all__ = ["Layout", "open_layout"]

_SPOOLED_BYTES = 16 * 2**20  # of a document in memory; beyond, it waits in a temporary file


class Layout(Protocol):
    """Takes the frames of an export one by one."""

    def add(self, position: int, index: int, frame: MadeFrame) -> None:
        """Write a frame, or keep it until the end."""

    def finish(self) -> None:
        """Write what only the end of the frames decides."""


def open_layout(archive: ExportArchive, maker: FrameMaker, closing: ExitStack) -> Layout:
    """Return the layout of the maker's dialect.

    Args:
        archive: Where to.
        maker: Makes the frames.
        closing: Closes temporary files.
    """
    layouts: dict[str, Callable[[], Layout]] = {
        SA_V: lambda: _SavFile(archive, maker.envelope, _spool(closing)),
        AUTOMATIC_MASKS: lambda: _AutomaticMasks(archive),
        COCO_INSTANCES: lambda: _CocoInstances(archive, maker, _spool(closing), _spool(closing)),
        PALETTE_PNG: lambda: _PalettePngs(archive, maker.envelope),
    }
    chosen = layouts.get(maker.envelope.dialect)
    return chosen() if chosen is not None else _FrameRecords(archive, maker, _spool(closing))


class _FrameRecords:
    """``annotations.json`` with a record a frame, ``metadata.json``, ``images/``."""

    def __init__(self, archive: ExportArchive, maker: FrameMaker, document: IO[str]) -> None:
        self._archive = archive
        self._maker = maker
        self._document = document
        self._annotated = 0
        self._objects = 0
        self._seen: set[int] = set()
        document.write(self._opening())

    def add(self, position: int, index: int, frame: MadeFrame) -> None:  # noqa: ARG002  named by index alone
        if frame.picture is not None:
            self._archive.add_image(index, frame.picture)
        if frame.entry is not None and "empty-annotations" not in self._maker.defects:
            comma = ",\n" if self._annotated else ""
            entry = json.dumps(frame.entry, indent=2, ensure_ascii=False)
            self._document.write(comma + textwrap.indent(entry, "    "))
            self._annotated += 1
        self._objects += len(frame.labels)
        self._seen.update(frame.seen)

    def finish(self) -> None:
        defects, document = self._maker.defects, self._document
        document.write("\n  ]\n}\n")
        if "broken-json" in defects:
            document.truncate(document.tell() // 2)
        if "no-annotations" not in defects:
            _add(self._archive, "annotations.json", document)
        if "missing-metadata" not in defects:
            about = metadata(
                self._maker.envelope, frames=self._annotated, objects=self._objects, unique=len(self._seen)
            )
            if "no-exporter" in defects:
                del about["export_info"]["exporter"]
            if "no-video-info" in defects:
                del about["video"]
            self._archive.add_text("metadata.json", io.StringIO(json.dumps(about, indent=2, ensure_ascii=False) + "\n"))

    def _opening(self) -> str:
        head, defects = annotations_head(self._maker.envelope), self._maker.defects
        if "no-exporter" in defects:
            del head["export_config"]["exporter_version"]
        if "no-video-info" in defects:
            del head["video"]
        return json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}") + ',\n  "annotations": [\n'


class _SavFile:
    """``<video>_manual.json`` with a row of masks every fourth frame, and the frames by their index in the video."""

    def __init__(self, archive: ExportArchive, envelope: Envelope, document: IO[str]) -> None:
        self._archive = archive
        self._document = document
        self._name = _stem(envelope)
        self._rows = 0
        self._seen: dict[int, _Sightings] = {}
        head = {
            "video_id": self._name,
            "video_duration": envelope.duration_sec,
            "video_frame_count": float(envelope.total_frames),
            "video_height": float(envelope.height),
            "video_width": float(envelope.width),
            "video_resolution": float(envelope.height * envelope.width),
        }
        document.write(json.dumps(head).removesuffix("}") + ', "masklet": [')

    def add(self, position: int, index: int, frame: MadeFrame) -> None:
        objects = _objects(frame)
        self._document.write((", " if position else "") + json.dumps([item["mask_rle"] for item in objects]))
        for item in objects:
            self._seen.setdefault(item["object_id"], _Sightings()).add(self._rows, item["area"])
        self._rows += 1
        if frame.picture is not None:
            self._archive.add_file(f"frames/{self._name}/{index:05d}.jpg", frame.picture)

    def finish(self) -> None:
        numbers = sorted(self._seen)
        seen = [self._seen[number] for number in numbers]
        tail = {
            "masklet_id": numbers,
            "masklet_size_abs": [one.area / max(one.frames, 1) for one in seen],
            "masklet_visibility_changes": [one.changes for one in seen],
            "masklet_first_appeared_frame": [None if one.first is None else float(one.first) for one in seen],
            "masklet_frame_count": [self._rows] * len(numbers),
            "masklet_type": ["manual"] * len(numbers),
            "masklet_num": len(numbers),
        }
        self._document.write("], " + json.dumps(tail).removeprefix("{") + "\n")
        _add(self._archive, f"{self._name}_manual.json", self._document)


class _AutomaticMasks:
    """A JSON list beside each picture, without identities and labels, boxes a pixel short as the generator's."""

    def __init__(self, archive: ExportArchive) -> None:
        self._archive = archive

    def add(self, position: int, index: int, frame: MadeFrame) -> None:  # noqa: ARG002  named by index alone
        masks = []
        for item in _objects(frame):
            if item["area"]:
                x, y, w, h = item["bbox"]
                masks.append(
                    {
                        "segmentation": item["mask_rle"],
                        "area": item["area"],
                        "bbox": [x, y, w - 1, h - 1],
                        "predicted_iou": 0.9,
                        "point_coords": [[x + w / 2, y + h / 2]],
                        "stability_score": 0.95,
                        "crop_box": [0, 0, *item["mask_rle"]["size"][::-1]],
                    }
                )
        if frame.picture is not None:
            self._archive.add_file(f"frame_{index:06d}.png", frame.picture)
        self._archive.add_text(f"frame_{index:06d}.json", io.StringIO(json.dumps(masks) + "\n"))

    def finish(self) -> None:
        """Nothing: every picture has its own file."""


class _CocoInstances:
    """``instances.json`` with images, annotations with a ``track_id`` each, and categories; ``images/``."""

    def __init__(self, archive: ExportArchive, maker: FrameMaker, images: IO[str], annotations: IO[str]) -> None:
        self._archive = archive
        self._size = maker.envelope.width, maker.envelope.height
        labels = sorted({track.label for track in maker.scene.tracks})
        self._categories = {label: number for number, label in enumerate(labels, start=1)}
        self._images = images
        self._annotations = annotations
        self._count = 0
        images.write('{"images": [')

    def add(self, position: int, index: int, frame: MadeFrame) -> None:
        name = f"frame_{index:06d}.png"
        width, height = self._size
        record = {"id": position, "file_name": name, "width": width, "height": height}
        self._images.write((", " if position else "") + json.dumps(record))
        for item in _objects(frame):
            if item["area"]:
                self._add_annotation(position, item)
        if frame.picture is not None:
            self._archive.add_file(f"images/{name}", frame.picture)

    def finish(self) -> None:
        categories = [{"id": number, "name": label} for label, number in self._categories.items()]
        self._images.write('], "annotations": [')
        self._annotations.seek(0)
        while part := self._annotations.read(2**20):
            self._images.write(part)
        self._images.write(f'], "categories": {json.dumps(categories)}}}\n')
        _add(self._archive, "instances.json", self._images)

    def _add_annotation(self, position: int, item: dict[str, Any]) -> None:
        record = {
            "id": self._count,
            "image_id": position,
            "category_id": self._categories[item["label"]],
            "track_id": item["object_id"],
            "segmentation": item["mask_rle"],
            "bbox": item["bbox"],
            "area": item["area"],
            "iscrowd": 0,
        }
        self._annotations.write((", " if self._count else "") + json.dumps(record))
        self._count += 1


class _PalettePngs:
    """``Annotations/<video>/00000.png`` with a palette beside ``JPEGImages/<video>/00000.jpg``, as DAVIS has it."""

    def __init__(self, archive: ExportArchive, envelope: Envelope) -> None:
        self._archive = archive
        self._name = _stem(envelope)
        self._size = envelope.height, envelope.width

    def add(self, position: int, index: int, frame: MadeFrame) -> None:  # noqa: ARG002  numbered by position
        indices = np.zeros(self._size, np.uint8)
        for item in _objects(frame):
            # 0 is the background, so the first object is 1; where two overlap, the later one is seen.
            indices[_pixels(item["mask_rle"]["counts"], self._size)] = item["object_id"] + 1
        self._archive.add_file(f"Annotations/{self._name}/{position:05d}.png", _palette_png(indices))
        if frame.picture is not None:
            self._archive.add_file(f"JPEGImages/{self._name}/{position:05d}.jpg", frame.picture)

    def finish(self) -> None:
        """Nothing: every frame has its own mask."""


@dataclass
class _Sightings:
    """Where SA-V says that a masklet is visible."""

    first: int | None = None
    changes: int = 0
    frames: int = 0
    area: int = 0
    shown: bool = False

    def add(self, position: int, area: int) -> None:
        visible = area > 0
        if self.first is None:
            self.first = position if visible else None
        elif visible != self.shown:
            self.changes += 1
        self.shown = visible
        self.frames += visible
        self.area += area


def _objects(frame: MadeFrame) -> list[dict[str, Any]]:
    return [] if frame.entry is None else list(frame.entry["objects"])


def _stem(envelope: Envelope) -> str:
    return envelope.filename.rpartition(".")[0]


def _pixels(counts: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def _palette_png(indices: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(indices)
    picture.putpalette([part for value in range(256) for part in (97 * value % 256, 57 * value % 256, value)])
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _spool(closing: ExitStack) -> IO[str]:
    return cast("IO[str]", closing.enter_context(tempfile.SpooledTemporaryFile(_SPOOLED_BYTES, "w+", encoding="utf-8")))


def _add(archive: ExportArchive, name: str, document: IO[str]) -> None:
    document.seek(0)
    archive.add_text(name, document)
