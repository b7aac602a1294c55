"""The sample in the layouts without ``annotations.json``, read by other people's tools."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile

import numpy as np
import pycocotools.coco
import pycocotools.mask
import pytest
from PIL import Image

from sam2vlm.errors import SettingsError
from sam2vlm.sample import DIALECTS, write_sample

OTHERS = [name for name, dialect in DIALECTS.items() if not dialect.has_records]
FRAMES, WIDTH, HEIGHT = 6, 96, 64


def written(tmp_path, dialect, **options):
    path = tmp_path / "sample.zip"
    options = {"frames": FRAMES, "objects": 3, "width": WIDTH, "height": HEIGHT, "seed": 5, "workers": 1, **options}
    write_sample(path, dialect=dialect, **options)
    return zipfile.ZipFile(path)


@pytest.mark.parametrize("dialect", OTHERS)
def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path, dialect):
    digests = set()
    for workers in (1, 3):
        written(tmp_path, dialect, workers=workers).close()
        digests.add(hashlib.sha256((tmp_path / "sample.zip").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("dialect", OTHERS)
def test_every_frame_has_a_picture_of_the_videos_size(tmp_path, dialect):
    with written(tmp_path, dialect) as archive:
        pictures = [name for name in archive.namelist() if name.endswith((".png", ".jpg")) and "Annot" not in name]
        assert len(pictures) == FRAMES
        for name in pictures:
            assert Image.open(io.BytesIO(archive.read(name))).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("dialect", OTHERS)
def test_defects_of_annotations_json_are_refused(tmp_path, dialect):
    with pytest.raises(SettingsError, match="is a defect of exports with annotations") as told:
        written(tmp_path, dialect, defects=["no-exporter"])
    assert told.value.found == "no-exporter"
    assert not (tmp_path / "sample.zip").exists()


def test_coco_instances_open_in_pycocotools(tmp_path):
    with written(tmp_path, "coco-instances") as archive:
        archive.extractall(tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycocotools.coco.COCO(str(tmp_path / "out" / "instances.json"))
    assert len(coco.imgs) == FRAMES
    assert all((tmp_path / "out" / "images" / image["file_name"]).is_file() for image in coco.imgs.values())
    assert coco.anns
    for item in coco.anns.values():
        mask = coco.annToRLE(item)
        assert item["area"] == pycocotools.mask.area(mask)
        assert item["bbox"] == list(pycocotools.mask.toBbox(mask))
        assert coco.cats[item["category_id"]]["name"]


def test_the_generators_boxes_are_a_pixel_short(tmp_path):
    with written(tmp_path, "automatic-masks") as archive:
        lists = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    assert len(lists) == FRAMES
    for item in (item for items in lists for item in items):
        x, y, w, h = pycocotools.mask.toBbox(item["segmentation"])
        assert item["bbox"] == [x, y, w - 1, h - 1]
        assert item["crop_box"] == [0, 0, WIDTH, HEIGHT]


def test_palettes_beside_frames_of_the_same_name(tmp_path):
    with written(tmp_path, "palette-png") as archive:
        names = archive.namelist()
        masks = [name for name in names if name.startswith("Annotations/")]
        assert len(masks) == FRAMES
        assert {name.replace("Annotations", "JPEGImages").replace(".png", ".jpg") for name in masks} < set(names)
        values = set()
        for name in masks:
            picture = Image.open(io.BytesIO(archive.read(name)))
            assert (picture.mode, picture.size) == ("P", (WIDTH, HEIGHT))
            values |= set(np.unique(np.asarray(picture)).tolist())
    assert values > {0}
    assert values <= {0, 1, 2, 3}


def test_sa_v_has_its_fields_and_the_frames_by_their_index(tmp_path):
    with written(tmp_path, "sa-v") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".json")]
        told = json.loads(archive.read(name))
        video = told["video_id"]
        assert name == f"{video}_manual.json"
        pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
    assert pictures == [f"frames/{video}/{4 * place:05d}.jpg" for place in range(FRAMES)]
    assert (told["video_frame_count"], told["video_duration"]) == (4 * FRAMES, 4 * FRAMES / 24)
    assert [len(row) for row in told["masklet"]] == [told["masklet_num"]] * FRAMES
    areas = np.array([[pycocotools.mask.area(mask) for mask in row] for row in told["masklet"]])
    for place, first in enumerate(told["masklet_first_appeared_frame"]):
        visible = np.flatnonzero(areas[:, place])
        assert first == (visible[0] if visible.size else None)
