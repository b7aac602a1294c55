"""Small good exports of the other dialects: SA-V, the automatic mask generator, COCO instances and palette PNGs."""

from __future__ import annotations

import copy
import functools
import io
import json
import zipfile

import numpy as np
import pycocotools.mask
from PIL import Image

from tests.broken_exports.parts import HEIGHT, INDICES, WIDTH, Made, good, put

#: Masks of these dialects have no labels of their own.
NAMED = {"ARCHIVE__DEFAULT_LABEL": "thing"}
VIDEO = "sav_000001"
COUNT = len(INDICES)


def pixels(frame, number):
    """One of a frame's two boxes, which move to the right."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = 3 + 4 * frame + 10 * number, 5 + 22 * number
    mask[y : y + 14, x : x + 12] = 1
    return mask


def rle(frame, number):
    coded = pycocotools.mask.encode(np.asfortranarray(pixels(frame, number)))
    return {"size": [HEIGHT, WIDTH], "counts": str(coded["counts"], "ascii")}


def box(frame, number):
    return [3 + 4 * frame + 10 * number, 5 + 22 * number, 12, 14]


def palette_png(values, mode="P"):
    stream = io.BytesIO()
    picture = Image.fromarray(values, "L")
    if mode == "P":
        picture.putpalette([channel for value in range(256) for channel in (value, 255 - value, 128)])
    picture.save(stream, "PNG")
    return stream.getvalue()


def numbered(pattern, step):
    """Pictures by name and by frame index."""
    contents = list(good().pictures.values())
    names = {pattern.format(step * position): content for position, content in enumerate(contents)}
    return names, {step * position: content for position, content in enumerate(contents)}


@functools.lru_cache
def _sav():
    top = {
        "video_id": VIDEO,
        "video_duration": 4 * COUNT / 24,
        "video_frame_count": 4.0 * COUNT,
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "video_resolution": float(HEIGHT * WIDTH),
        "masklet_id": [0, 1],
        "masklet_first_appeared_frame": [0.0, 0.0],
        "masklet_visibility_changes": [0, 0],
        "masklet": [[rle(frame, number) for number in (0, 1)] for frame in range(COUNT)],
    }
    names, pictures = numbered(VIDEO + "/{:05d}.png", 4)
    return {f"{VIDEO}_manual.json": top, **names}, pictures


@functools.lru_cache
def _automatic():
    names, pictures = numbered("images/frame_{:06d}.png", 1)
    for frame in range(COUNT):
        names[f"json/frame_{frame:06d}.json"] = [
            {
                "segmentation": rle(frame, number),
                "bbox": [*box(frame, number)[:2], 11, 13],
                "area": 168,
                "predicted_iou": 0.9,
                "stability_score": 0.95,
                "point_coords": [[10.0, 10.0]],
                "crop_box": [0, 0, WIDTH, HEIGHT],
            }
            for number in (0, 1)
        ]
    return names, pictures


@functools.lru_cache
def _instances():
    names, pictures = numbered("images/frame_{:06d}.png", 1)
    x_y = [(box(frame, number), frame, number) for frame in range(COUNT) for number in (0, 1)]
    top = {
        "images": [
            {"id": frame + 1, "file_name": f"frame_{frame:06d}.png", "width": WIDTH, "height": HEIGHT}
            for frame in range(COUNT)
        ],
        "annotations": [
            {
                "id": position + 1,
                "image_id": frame + 1,
                "category_id": number + 1,
                "track_id": number,
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]] if number else rle(frame, number),
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": 0,
            }
            for position, ((x, y, w, h), frame, number) in enumerate(x_y)
        ],
        "categories": [{"id": 1, "name": "crab"}, {"id": 2, "name": "fish"}],
    }
    return {"instances.json": top, **names}, pictures


@functools.lru_cache
def _palette():
    names, pictures = numbered("JPEGImages/clip/{:05d}.png", 1)
    for frame in range(COUNT):
        names[f"Annotations/clip/{frame:05d}.png"] = palette_png(pixels(frame, 0) + 2 * pixels(frame, 1))
    return names, pictures


LAYOUTS = {"sav": _sav, "automatic": _automatic, "instances": _instances, "palette": _palette}


def layout(name, change):
    """A maker: a good export of another dialect after a change of its files, values for JSON and bytes for others."""

    def make(folder):
        files, pictures = copy.deepcopy(LAYOUTS[name]())
        change(files)
        path = folder / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for entry, content in files.items():
                archive.writestr(entry, content if isinstance(content, bytes) else json.dumps(content))
        return Made(path, pictures)

    return make


def layout_at(name, entry, path, value):
    """A maker: a good export of another dialect with another value at a path of one of its JSON entries."""

    def change(files):
        if path:
            put(files[entry], path, value)
        else:
            files[entry] = value

    return layout(name, change)
