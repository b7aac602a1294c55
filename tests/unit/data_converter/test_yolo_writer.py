"""YOLO segmentation: polygons drawn by others are the masks again, in parts and with holes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest
import yaml
from PIL import Image, ImageDraw

from sam2vlm.annotations.coco_rle import decode_mask, mask_from_runs, read_coco
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.coco_writer import category_names
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.data_converter.picture_folder import PictureFolder
from sam2vlm.data_converter.yolo_writer import YoloWriter, yolo_path

SAV = Path(__file__).parents[3].parent / "shared" / "data" / "sav_000001_manual.json"
ROWS, COLUMNS = np.mgrid[:64, :96]
SCALE = 8


def disc(x, y, radius):
    return (COLUMNS - x) ** 2 + (ROWS - y) ** 2 < radius**2


def mask_of(pixels):
    return mask_from_runs(runs_from_pixels(pixels.astype(np.uint8), "F"), *pixels.shape)


def drawn(path, shape):
    """Fill a path by the even-odd rule, as cv2.fillPoly does; on a finer grid, looked at in the pixels' middles."""
    height, width = shape
    canvas = Image.new("1", (width * SCALE, height * SCALE))
    points = [(x * width * SCALE, y * height * SCALE) for x, y in path]
    ImageDraw.Draw(canvas).polygon(points, fill=1)
    return np.array(canvas)[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


SHAPES = {
    "one part": disc(40, 30, 20),
    "two parts": disc(20, 30, 12) | disc(70, 30, 15),
    "five parts": disc(10, 10, 7) | disc(80, 12, 9) | disc(45, 32, 8) | disc(15, 52, 9) | disc(80, 50, 10),
    "a hole": disc(45, 30, 25) & ~disc(48, 32, 10),
    "two parts with holes": (disc(22, 30, 18) & ~disc(22, 30, 8)) | (disc(72, 30, 18) & ~disc(70, 28, 9)),
    "corners that touch": (COLUMNS < 48) ^ (ROWS < 32),
    "the whole frame": COLUMNS >= 0,
    "one pixel": (COLUMNS == 5) & (ROWS == 7),
    "a line": ROWS == 40,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_path_drawn_again_is_the_mask_as_near_as_was_measured(name):
    pixels = SHAPES[name]
    path, iou, _rings = yolo_path(mask_of(pixels))
    assert path.min() >= 0
    assert path.max() <= 1
    assert len(path) >= 3
    assert iou >= 0.95
    assert overlap(drawn(path, pixels.shape), pixels) >= iou - 0.03


def test_how_many_rings_are_joined_is_told():
    assert [yolo_path(mask_of(SHAPES[name]))[2] for name in ("one part", "five parts", "two parts with holes")] == [
        1, 5, 4
    ]  # fmt: skip


def test_a_shape_that_thinning_would_ruin_keeps_its_outline():
    pixels = disc(45, 30, 3) & ((COLUMNS + ROWS) % 2 == 0)
    path, iou, _rings = yolo_path(mask_of(pixels))
    assert iou == 1.0
    assert overlap(drawn(path, pixels.shape), pixels) > 0.9


@pytest.mark.skipif(not SAV.is_file(), reason="../shared/data with SA-V's files is not beside this checkout")
def test_real_masks_cost_what_is_measured():
    frames = json.loads(SAV.read_text())["masklet"][::20]
    masks = [mask_from_runs(*read_coco(item)) for frame in frames for item in frame]
    for mask in filter(None, masks):
        path, iou, _rings = yolo_path(mask)
        points = (path * (mask.width, mask.height)).ravel().tolist()
        polygon = pycocotools.mask.frPyObjects([points], mask.height, mask.width)
        assert iou >= 0.95
        assert pycocotools.mask.iou(polygon, [mask.coco()], [0])[0, 0] == pytest.approx(iou, abs=0.02)


@pytest.fixture
def written(export, tmp_path):
    export.annotations["annotations"][0]["objects"] = []
    label = 'ein "Krebs": #1'
    export.annotations["annotations"][1]["objects"][0]["label"] = label
    frames = SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames
    names = category_names([label, "fish", "crab"])
    writers = {
        "pictures": PictureFolder(tmp_path / "pictures"),
        "yolo": YoloWriter(tmp_path / "yolo", names, pictures=tmp_path / "pictures"),
    }
    _asked, facts = write_outputs({"train": frames[:2], "val": frames[2:]}, writers, ask=lambda _frame: [])
    return tmp_path / "yolo", frames, names, facts["yolo"]


def test_data_yaml_is_yaml_with_paths_relative_to_itself(written):
    folder, _frames, names, _facts = written
    found = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert found == {"train": "images/train", "val": "images/val", "names": dict(enumerate(names))}
    assert (folder / found["train"]).is_dir()


def test_each_picture_has_its_labels_where_ultralytics_looks_for_them(written):
    folder, frames, names, facts = written
    pictures = sorted((folder / "images").rglob("*.png"))
    assert len(pictures) == 3
    by_id = {frame.sample_id: frame for frame in frames}
    for picture in pictures:
        labels = folder / "labels" / picture.relative_to(folder / "images").with_suffix(".txt")
        frame = by_id["/".join(picture.with_suffix("").parts[-2:])]
        lines = [line.split() for line in labels.read_text().splitlines()]
        assert [names[int(line[0])] for line in lines] == [item.label for item in frame.visible_objects]
        for line, item in zip(lines, frame.visible_objects, strict=True):
            # ultralytics takes a line of 5 for a box and one of more than 6 for a polygon.
            assert len(line) >= 7
            assert len(line) % 2 == 1
            path = np.array(line[1:], float).reshape(-1, 2)
            assert overlap(drawn(path, (256, 256)), decode_mask(item.mask) > 0) > 0.97
    assert facts["objects"] == {"train": 2, "val": 2}
    assert facts["polygon_iou"]["least"] >= 0.95
    assert json.loads(json.dumps(facts)) == facts


def test_a_frame_that_shows_nothing_has_an_empty_file(written):
    folder, frames, _names, _facts = written
    assert not frames[0].visible_objects
    assert (folder / f"labels/train/{frames[0].sample_id}.txt").read_text() == ""
