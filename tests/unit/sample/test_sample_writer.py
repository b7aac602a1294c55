import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

import sam2vlm.sample as package
from sam2vlm.errors import SettingsError
from sam2vlm.sample import THINGS, make_scene, write_sample

from .conftest import FRAMES, HEIGHT, OBJECTS, SEED, WIDTH, row_major, visible

REAL = Path(__file__).parents[4] / "shared" / "data" / "sam2_demo_export"
SHAPES = {"circle", "oval", "square", "rectangle", "triangle", "star", "cross", "diamond", "heart", "crescent",
          "arrow", "hexagon", "semicircle", "pentagon", "ring"}  # fmt: skip


def keys_in_order(value):
    """The names of a document's fields in their order; of a list only its first element's."""
    if isinstance(value, dict):
        return [(name, keys_in_order(part)) for name, part in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [keys_in_order(value[0])]
    return type(value).__name__


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data with a real export is not beside this checkout")
@pytest.mark.parametrize("name", ["annotations.json", "metadata.json"])
def test_fields_types_and_order_are_those_of_a_real_export(make_export, name):
    real = json.loads((REAL / name).read_text(encoding="utf-8"))
    assert keys_in_order(make_export().document(name)) == keys_in_order(real)


def test_layout_and_counts(make_export):
    export = make_export()
    indices = list(range(0, 6 * FRAMES, 6))
    assert export.names() == [f"images/frame_{index:06d}.png" for index in indices] + [
        "annotations.json", "metadata.json"
    ]  # fmt: skip
    document = export.document()
    assert document["video"]["source_fps"] == 30.0
    assert document["video"]["total_frames"] == 6 * FRAMES
    assert document["export_config"]["frame_indices"] == indices
    assert document["export_config"]["total_exported_frames"] == FRAMES
    assert [frame["frame_index"] for frame in document["annotations"]] == indices
    assert [frame["timestamp_sec"] for frame in document["annotations"][:3]] == [0.0, 0.2, 0.4]
    assert all(len(frame["objects"]) == OBJECTS for frame in document["annotations"])
    assert {record["confidence"] for frame in document["annotations"] for record in frame["objects"]} == {0.95}
    assert export.document("metadata.json")["statistics"] == {
        "total_frames": FRAMES,
        "total_objects": export.summary.instances,
        "unique_objects": OBJECTS,
        "objects_per_frame": round(export.summary.instances / FRAMES, 3),
    }
    assert export.summary.images == FRAMES
    assert export.summary.size_bytes == export.path.stat().st_size


def test_pictures_have_the_videos_size_and_every_frame_shows_one_to_five_objects(make_export):
    export = make_export()
    for frame in export.frames():
        assert export.picture(frame["frame_index"]).size == (WIDTH, HEIGHT)
        assert 1 <= sum(visible(record) for record in frame["objects"]) <= 5


def test_the_bytes_depend_on_the_seed_and_not_on_the_number_of_threads(make_export, tmp_path):
    again = write_sample(
        tmp_path / "again.zip", frames=FRAMES, objects=OBJECTS, width=WIDTH, height=HEIGHT, seed=SEED, workers=1
    )
    many = write_sample(
        tmp_path / "many.zip", frames=FRAMES, objects=OBJECTS, width=WIDTH, height=HEIGHT, seed=SEED, workers=5
    )
    first = make_export().path.read_bytes()
    assert again.path.read_bytes() == first
    assert many.path.read_bytes() == first
    assert make_export(seed=SEED + 1).path.read_bytes() != first


def test_a_stored_box_is_the_box_of_the_transposed_mask_as_the_tool_has_it(make_export):
    for frame in make_export().frames():
        for record in frame["objects"]:
            mask = row_major(record["mask_rle"])
            assert record["area"] == mask.sum()
            if not visible(record):
                assert record["bbox"] == [0, 0, 0, 0]
                continue
            rows, columns = np.nonzero(mask.T)
            assert record["bbox"] == [
                columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
            ]  # fmt: skip


def test_row_major_masks_lie_on_the_objects_and_column_major_ones_do_not(make_export):
    export = make_export(width=320, height=180)
    scene = make_scene(
        width=320, height=180, objects=OBJECTS, duration=FRAMES / 5, seed=SEED, classes=tuple(THINGS)[:4]
    )
    right, wrong = [], []
    for frame in export.frames():
        view = scene.look((frame["frame_index"] + 0.5) / 30)
        slots = {track.object_id: slot + 1 for slot, track in enumerate(view.visible)}
        owners = np.asarray(view.owners.resize((256, 256), Image.Resampling.NEAREST))
        for record in filter(visible, frame["objects"]):
            truth = owners == slots[record["object_id"]]
            mask = row_major(record["mask_rle"])
            right.append((mask & truth).sum() / (mask | truth).sum())
            wrong.append((mask.T & truth).sum() / (mask.T | truth).sum())
    assert len(right) > FRAMES
    assert np.mean(right) > 0.85
    assert np.mean(wrong) < 0.2
    # Ragged, as a network's masks are: never the drawn outline itself.
    assert np.mean(right) < 0.99


@pytest.mark.parametrize("dialect", ["coco-compressed", "coco-uncompressed"])
def test_coco_masks_are_on_the_frames_grid_with_their_own_boxes(make_export, dialect):
    export = make_export(dialect=dialect, frames=6)
    assert export.document("metadata.json")["export_info"]["exporter"] != "SAM2 Demo Export Tool"
    seen = 0
    for frame in export.frames():
        for record in frame["objects"]:
            stored = record["mask_rle"]
            assert stored["size"] == [HEIGHT, WIDTH]
            assert isinstance(stored["counts"], str if dialect == "coco-compressed" else list)
            packed = coco.frPyObjects(stored, HEIGHT, WIDTH) if isinstance(stored["counts"], list) else stored
            assert record["area"] == coco.area(packed)
            assert record["bbox"] == list(coco.toBbox(packed))
            seen += record["area"] > 0
    assert seen == export.summary.instances > 0


def test_all_dialects_show_the_same_objects(make_export):
    exports = [make_export(dialect=name, frames=6) for name in ("sam2-demo-1.0.0", "coco-compressed")]
    boxes = []
    for export in exports:
        found = {}
        for frame in export.frames():
            for record in frame["objects"]:
                if record["area"]:
                    x, y, w, h = record["bbox"]
                    if export is exports[0]:
                        x, y, w, h = y * WIDTH / 256, x * HEIGHT / 256, h * WIDTH / 256, w * HEIGHT / 256
                    found[frame["frame_index"], record["object_id"]] = (x, y, w, h)
        boxes.append(found)
    assert boxes[0].keys() == boxes[1].keys()
    for key, box in boxes[0].items():
        assert np.allclose(box, boxes[1][key], atol=2.0)


def test_labels_are_named_things_and_none_is_a_shape_of_the_pre_training(make_export):
    assert set(make_export().summary.labels) == {"crab", "jellyfish", "turtle", "fish"}
    assert not SHAPES & set(THINGS)
    assert len(THINGS) == 8


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", 0), ("objects", 0), ("width", 31), ("height", 5000), ("fps", 0.0), ("fps", 31.0),
        ("classes", 9), ("fps", float("nan")), ("dialect", "sav"), ("defects", ["flickr"]),
    ],
)  # fmt: skip
def test_an_impossible_argument_is_one_sentence_and_leaves_nothing(tmp_path, field, value):
    with pytest.raises(SettingsError, match=r"^[^\n]+$") as caught:
        write_sample(tmp_path / "out.zip", **{"frames": 2, field: value})
    assert field.removesuffix("s") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_told_before_anything_is_drawn(tmp_path):
    with pytest.raises(SettingsError, match="is a folder"):
        write_sample(tmp_path, frames=2)


def test_an_interrupted_writing_leaves_the_older_archive_and_no_partial_one(tmp_path, monkeypatch):
    path = tmp_path / "out.zip"
    path.write_bytes(b"older")
    monkeypatch.setattr("sam2vlm.sample.frames.png_bytes", _stops_at_the_third_call())
    with pytest.raises(KeyboardInterrupt):
        write_sample(path, frames=8, width=64, height=48, workers=2)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sample")]


def _stops_at_the_third_call():
    from sam2vlm.sample.png import png_bytes

    calls = []

    def encode(picture):
        calls.append(picture)
        if len(calls) >= 3:
            raise KeyboardInterrupt
        return png_bytes(picture)

    return encode


def test_one_object_one_frame_and_tiny_pictures_work(tmp_path):
    made = write_sample(tmp_path / "one.zip", frames=1, objects=1, width=32, height=32, classes=8)
    assert (made.frames, made.images, made.labels) == (1, 1, {"crab": 1})


def test_every_public_name_is_there_and_defects_need_no_heavy_library():
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
    code = "import sys, sam2vlm.sample.defects; print({'numpy', 'PIL', 'pycocotools'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
