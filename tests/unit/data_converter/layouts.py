"""Exports of the dialects without ``annotations.json``, made file by file."""

from __future__ import annotations

import io
import json

import numpy as np
import pycocotools.mask
from PIL import Image

WIDTH, HEIGHT = 24, 16


def box_mask(x, y, w, h, *, width=WIDTH, height=HEIGHT):
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def rle(mask):
    coded = pycocotools.mask.encode(np.asfortranarray(mask))
    return {"size": list(mask.shape), "counts": coded["counts"].decode()}


def jpeg(width=WIDTH, height=HEIGHT):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (9, 40, 90)).save(stream, "JPEG")
    return stream.getvalue()


def palette_png(indices, *, mode="P"):
    stream = io.BytesIO()
    picture = Image.fromarray(np.asarray(indices, np.uint8))
    if mode == "P":
        picture.putpalette([value for index in range(256) for value in (index, 255 - index, (37 * index) % 256)])
    picture.save(stream, "PNG")
    return stream.getvalue()


def write(folder, files):
    """Write files by name: bytes as they are, all else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def sav(masks_by_frame, *, video_id="sav_7", **changes):
    """An SA-V file; ``masks_by_frame[frame][object]`` are arrays."""
    height, width = masks_by_frame[0][0].shape
    frames = len(masks_by_frame)
    return {
        "video_id": video_id,
        "video_duration": 4 * frames / 24,
        "video_frame_count": float(4 * frames),
        "video_height": float(height),
        "video_width": float(width),
        "masklet": [[rle(mask) for mask in row] for row in masks_by_frame],
        "masklet_id": list(range(len(masks_by_frame[0]))),
        **changes,
    }


def generated(mask, **changes):
    """A member of the automatic mask generator's list, with its box a pixel short."""
    x, y, w, h = pycocotools.mask.toBbox(pycocotools.mask.encode(np.asfortranarray(mask)))
    return {
        "segmentation": rle(mask),
        "area": int(mask.sum()),
        "bbox": [x, y, max(w - 1, 0), max(h - 1, 0)],
        "predicted_iou": 0.97,
        "point_coords": [[3.0, 4.0]],
        "stability_score": 0.98,
        "crop_box": [0, 0, mask.shape[1], mask.shape[0]],
        **changes,
    }


def instances(images, annotations, categories=((1, "fish"), (2, "crab"))):
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in categories],
    }


def image(number, file_name, width=WIDTH, height=HEIGHT, **more):
    return {"id": number, "file_name": file_name, "width": width, "height": height, **more}


def annotation(number, image_id, segmentation, category=1, **more):
    return {"id": number, "image_id": image_id, "category_id": category, "segmentation": segmentation, **more}
