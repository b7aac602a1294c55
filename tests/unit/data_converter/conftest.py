"""Exports that tests build, whole or with one thing wrong."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from sam2vlm.annotations.runs import runs_from_pixels

WIDTH, HEIGHT = 96, 64
DEMO_MARK = {"export_info": {"exporter": "SAM2 Demo Export Tool", "format_version": "1.0"}}


def grid_mask(x, y, w, h):
    """A box of ones on the demo tool's 256 x 256 grid."""
    mask = np.zeros((256, 256), np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def demo_rle(mask):
    """The demo tool's string: row-major runs."""
    return " ".join(map(str, runs_from_pixels(mask, "C")))


def picture(width=WIDTH, height=HEIGHT, *, kind="PNG", shade=0):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 40, 90)).save(stream, kind)
    return stream.getvalue()


def demo_object(object_id, label, box):
    x, y, w, h = box
    # the tool stores the box of the mask as it decodes it itself: transposed, in grid space
    return {
        "object_id": object_id,
        "label": label,
        "mask_rle": demo_rle(grid_mask(x, y, w, h)),
        "bbox": [y, x, h, w],
        "area": w * h,
        "confidence": 0.95,
    }


@dataclass
class Export:
    """An export in parts: change a part, then write it."""

    annotations: dict
    metadata: dict | None
    pictures: dict[str, bytes] = field(default_factory=dict)
    wrap: str = ""

    def entries(self):
        found = {"annotations.json": json.dumps(self.annotations).encode(), **self.pictures}
        if self.metadata is not None:
            found["metadata.json"] = json.dumps(self.metadata).encode()
        return {f"{self.wrap}{name}": content for name, content in found.items()}

    def zip(self, path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.entries().items():
                archive.writestr(name, content)
        return path

    def folder(self, path):
        for name, content in self.entries().items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path

    def copy(self):
        return copy.deepcopy(self)


def build_export(frames=3):
    indices = [6 * number for number in range(frames)]
    return Export(
        annotations={
            "video": {
                "filename": "clip.mp4",
                "width": WIDTH,
                "height": HEIGHT,
                "source_fps": 30.0,
                "total_frames": 6 * frames,
                "duration_sec": 0.2 * frames,
            },
            "export_config": {
                "target_fps": 5.0,
                "total_exported_frames": frames,
                "frame_indices": indices,
                "export_timestamp": "2025-11-19T08:00:00Z",
                "exporter_version": "1.0.0",
            },
            "annotations": [
                {
                    "frame_index": index,
                    "timestamp_sec": index / 30,
                    "objects": [
                        demo_object(1, "fish", (100 + index, 64, 32, 16)),
                        demo_object(2, "crab", (16, 32, 64, 128)),
                    ],
                }
                for index in indices
            ],
        },
        metadata={**DEMO_MARK, "video": {"width": WIDTH, "height": HEIGHT, "fps": 30.0}},
        pictures={f"images/frame_{index:06d}.png": picture(shade=index) for index in indices},
    )


@pytest.fixture
def export():
    """Three frames of two objects, exactly as the demo tool lays them out."""
    return build_export()
