"""Each defect is really there, and nothing else is: the checks read the archive with zipfile, json and Pillow only."""

import io
import itertools
import json
import stat
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from sam2vlm.sample import DEFECTS

from .conftest import FRAMES, HEIGHT, OBJECTS, WIDTH, row_major, visible

PURE = {(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255)}


def labels_of(export, folder=""):
    return {record["label"] for frame in export.frames(folder) for record in frame["objects"]}


def masks_by_frame(export):
    return [{record["object_id"]: record["mask_rle"] for record in frame["objects"]} for frame in export.frames()]


def painted_overlay(export, clean):
    frame = next(frame for frame in export.frames() if any(map(visible, frame["objects"])))
    painted = np.asarray(export.picture(frame["frame_index"])).reshape(-1, 3)
    plain = np.asarray(clean.picture(frame["frame_index"])).reshape(-1, 3)
    assert {tuple(pixel) for pixel in painted.tolist()} & PURE
    assert not {tuple(pixel) for pixel in plain.tolist()} & PURE
    assert (painted == 0).all(axis=1).sum() > (plain == 0).all(axis=1).sum()  # the black boxes
    assert masks_by_frame(export) == masks_by_frame(clean)


def frames_without_image(export, _clean):
    pictures = {name for name in export.names() if name.startswith("images/")}
    empty = [frame for frame in export.frames() if not any(map(visible, frame["objects"]))]
    assert empty
    assert len(export.frames()) == FRAMES == len(pictures) + len(empty)
    for frame in empty:
        assert f"images/frame_{frame['frame_index']:06d}.png" not in pictures


def constant_fps(export, clean):
    video = export.document()["video"]
    assert video["source_fps"] == 30.0
    assert video["total_frames"] / video["duration_sec"] == pytest.approx(24.0)
    assert [frame["timestamp_sec"] for frame in export.frames()] == [frame["timestamp_sec"] for frame in clean.frames()]


def swallowed_errors(export, _clean):
    document = export.document()
    assert document["export_config"]["total_exported_frames"] == FRAMES
    there = {frame["frame_index"] for frame in document["annotations"]}
    gone = set(document["export_config"]["frame_indices"]) - there
    assert 1 <= len(gone) < FRAMES / 2
    assert not any(f"images/frame_{index:06d}.png" in export.names() for index in gone)


def repeated_names(export, clean):
    assert export.document()["video"]["filename"] == "session.mp4"
    assert clean.document()["video"]["filename"] != "session.mp4"


def default_names(export, _clean):
    assert {"object_0", "object_2", "object_4"} <= labels_of(export)
    assert {"jellyfish", "fish"} <= labels_of(export)


def label_typos(export, clean):
    strange = labels_of(export) - labels_of(clean)
    assert strange
    assert all(any(len(set(name.strip().lower()) ^ set(label)) <= 2 for label in labels_of(clean)) for name in strange)


def track_swaps(export, clean):
    swapped = 0
    for here, there in zip(masks_by_frame(export), masks_by_frame(clean), strict=True):
        moved = [number for number in here if here[number] != there[number]]
        assert len(moved) in {0, 2}
        if moved:
            assert [here[number] for number in moved] == [there[number] for number in reversed(moved)]
            swapped += 1
    assert swapped


def flicker(export, clean):
    gone = [
        (position, number)
        for position, (here, there) in enumerate(zip(masks_by_frame(export), masks_by_frame(clean), strict=True))
        for number in here
        if here[number] != there[number]
    ]
    assert gone
    masks = masks_by_frame(export)
    for position, number in gone:
        assert masks[position][number] == "65536"
        assert masks[position - 1][number] != "65536"
        assert masks[position + 1][number] != "65536"


def duplicate_frames(export, _clean):
    frames = export.frames()
    twins = [(before, here) for before, here in itertools.pairwise(frames) if before["objects"] == here["objects"]]
    assert twins
    for before, here in twins:
        one, other = (export.picture(frame["frame_index"]).tobytes() for frame in (before, here))
        assert one == other


def wrong_boxes(export, clean):
    changed = [
        (here, there)
        for frame, twin in zip(export.frames(), clean.frames(), strict=True)
        for here, there in zip(frame["objects"], twin["objects"], strict=True)
        if here["bbox"] != there["bbox"]
    ]
    assert changed
    for here, there in changed:
        assert here["mask_rle"] == there["mask_rle"]
        assert here["area"] == 3 * there["area"]


def wrong_size(export, _clean):
    sizes = [export.picture(frame["frame_index"]).size for frame in export.frames()]
    assert set(sizes) == {(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2)}


def no_exporter(export, _clean):
    assert "exporter" not in export.document("metadata.json")["export_info"]
    assert "exporter_version" not in export.document()["export_config"]
    assert row_major(export.frames()[0]["objects"][0]["mask_rle"]).size == 65536


def no_video_info(export, _clean):
    assert "video" not in export.document("metadata.json")
    assert "video" not in export.document()


def missing_metadata(export, _clean):
    assert "metadata.json" not in export.names()


def wrapping_folder(export, clean):
    assert {f"My export/{name}" for name in clean.names()} < set(export.names())
    assert "My export/.DS_Store" in export.names()
    assert "__MACOSX/My export/._annotations.json" in export.names()


def frames_folder(export, _clean):
    assert "frames/frame_000006.PNG" in export.names()


def jpg_frames(export, _clean):
    with Image.open(io.BytesIO(export.read("images/frame_000006.jpg"))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (WIDTH, HEIGHT))


def unpadded_numbers(export, _clean):
    assert "images/frame_6.png" in export.names()


def bare_numbers(export, _clean):
    assert "images/000006.png" in export.names()


def non_ascii(export, _clean):
    folder = next(name for name in export.names() if name.endswith("annotations.json")).removesuffix("annotations.json")
    assert not folder.isascii()
    assert not any(label.isascii() for label in labels_of(export, folder))
    assert not export.document(folder=folder)["video"]["filename"].isascii()


def missing_frame(export, clean):
    (gone,) = set(clean.names()) - set(export.names())
    frame = next(frame for frame in export.frames() if gone == f"images/frame_{frame['frame_index']:06d}.png")
    assert any(map(visible, frame["objects"]))


def zero_objects(export, _clean):
    assert [frame["objects"] for frame in export.frames()] == [[]] * FRAMES
    assert export.names() == ["annotations.json", "metadata.json"]


def no_annotations(export, _clean):
    assert "annotations.json" not in export.names()


def empty_annotations(export, _clean):
    assert export.frames() == []


def broken_json(export, _clean):
    with pytest.raises(json.JSONDecodeError):
        export.document()


def wrong_shape(export, clean):
    assert export.frames()[0]["objects"] == OBJECTS
    assert export.frames()[1:] == clean.frames()[1:]


def wrong_run_sum(export, clean):
    odd = [
        sum(map(int, here["mask_rle"].split(" ")))
        for frame, twin in zip(export.frames(), clean.frames(), strict=True)
        for here, there in zip(frame["objects"], twin["objects"], strict=True)
        if here != there
    ]
    assert odd == [65536 - 7]


def truncated(export, clean):
    assert export.path.read_bytes() == clean.path.read_bytes()[: int(clean.summary.size_bytes * 0.6)]
    assert not zipfile.is_zipfile(export.path)


def bad_crc(export, clean):
    one, other = export.path.read_bytes(), clean.path.read_bytes()
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
    with zipfile.ZipFile(export.path) as archive:
        assert archive.testzip().startswith("images/")


def encrypted(export, _clean):
    with zipfile.ZipFile(export.path) as archive:
        assert all(entry.flag_bits & 1 for entry in archive.infolist())
        with pytest.raises(RuntimeError, match="encrypted"):
            archive.read("annotations.json")


def path_traversal(export, _clean):
    assert "../../outside.txt" in export.names()


def absolute_path(export, _clean):
    assert "/outside.txt" in export.names()


def symlink(export, _clean):
    with zipfile.ZipFile(export.path) as archive:
        assert stat.S_ISLNK(archive.getinfo("images/latest.png").external_attr >> 16)


def bomb(export, _clean):
    with zipfile.ZipFile(export.path) as archive:
        entry = archive.getinfo("images/frame_999999.png")
        assert entry.file_size > 900 * entry.compress_size
        with archive.open(entry) as stream:
            assert zlib.crc32(stream.read(10)) == zlib.crc32(bytes(10))


CHECKS = {name.replace("_", "-"): check for name, check in list(globals().items()) if name.replace("_", "-") in DEFECTS}


def test_every_defect_is_checked():
    assert CHECKS.keys() == DEFECTS.keys()


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_defect(name, make_export):
    export = make_export(defects=(name,))
    assert export.summary.defects == (name,)
    CHECKS[name](export, make_export())


@pytest.mark.parametrize("dialect", ["coco-compressed", "coco-uncompressed"])
def test_a_coco_masks_size_fits_no_run_sum(make_export, dialect):
    export = make_export(dialect=dialect, defects=("wrong-run-sum",))
    sizes = [tuple(record["mask_rle"]["size"]) for frame in export.frames() for record in frame["objects"]]
    assert sizes.count((HEIGHT, WIDTH + 7)) == 1


def test_defects_can_be_combined(make_export):
    export = make_export(defects=("jpg-frames", "wrapping-folder", "unpadded-numbers", "frames-folder"))
    assert "My export/frames/frame_6.JPG" in export.names()
