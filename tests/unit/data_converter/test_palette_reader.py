"""Palette PNGs in the folders of DAVIS, MOSE and YouTube-VOS, and flat ones."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2vlm.annotations.coco_rle import counts_from_runs
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.readers.palette_masks import object_runs
from sam2vlm.errors import DataError

from .layouts import HEIGHT, WIDTH, box_mask, jpeg, palette_png, write

ONE = box_mask(2, 3, 8, 5)
BOTH = ONE + 7 * box_mask(12, 1, 4, 9)
EMPTY = np.zeros((HEIGHT, WIDTH), np.uint8)


def parse(folder, **options):
    return SAM2Parser(**options).parse_zip(folder)


def davis(video="bear", masks=(ONE, BOTH, EMPTY), root="", resolution="480p/"):
    files = {}
    for place, mask in enumerate(masks):
        files[f"{root}Annotations/{resolution}{video}/{place:05d}.png"] = palette_png(mask)
        files[f"{root}JPEGImages/{resolution}{video}/{place:05d}.jpg"] = jpeg()
    return files


@pytest.mark.parametrize(("root", "resolution"), [("", "480p/"), ("DAVIS/", "480p/"), ("MOSE/train/", ""), ("", "")])
def test_masks_beside_frames(tmp_path, root, resolution):
    parsed = parse(write(tmp_path, davis(root=root, resolution=resolution)))
    assert [frame.image_name for frame in parsed.frames] == [
        f"{root}JPEGImages/{resolution}bear/{place:05d}.jpg" for place in range(3)
    ]
    assert [[(item.object_id, item.bbox, item.area) for item in frame.objects] for frame in parsed.frames] == [
        [(1, (2, 3, 8, 5), 40)],
        [(1, (2, 3, 8, 5), 40), (7, (12, 1, 4, 9), 36)],
        [],
    ]
    assert [frame.timestamp_sec for frame in parsed.frames] == [0, 1 / 24, 2 / 24]
    assert parsed.metadata.dialect == "palette-png"
    assert parsed.metadata.evidence.startswith("3 PNGs like ")
    assert parsed.metadata.evidence.endswith("lie where masks do, 3 of them with a palette")
    assert [(track.object_id, track.first_frame, track.visibility_changes) for track in parsed.tracks] == [
        (1, 0, 1), (7, 1, 1)
    ]  # fmt: skip
    assert any("24 frames a second" in note for note in parsed.metadata.notes)


def test_a_flat_folder(tmp_path):
    files = {f"{place:05d}.png": palette_png(ONE) for place in (0, 5)}
    parsed = parse(write(tmp_path, {**files, "00000.jpg": jpeg(), "00005.jpg": jpeg(), "00010.jpg": jpeg()}), fps=30)
    assert [(frame.frame_index, frame.timestamp_sec) for frame in parsed.frames] == [(0, 0), (5, 5 / 30)]
    assert "1 picture is without a mask and was not used: 00010.jpg." in parsed.metadata.notes


def test_several_videos_and_the_same_content_twice(tmp_path):
    parsed = parse(write(tmp_path, {**davis("bear"), **davis("bus")}))
    assert len({frame.video_id for frame in parsed.frames}) == 2
    assert len({frame.sample_id for frame in parsed.frames}) == 6


def test_the_identity_is_the_masks_content(tmp_path):
    one = parse(write(tmp_path / "one", davis())).metadata.video_id
    assert parse(write(tmp_path / "two", davis())).metadata.video_id == one
    assert parse(write(tmp_path / "three", davis(masks=(ONE, ONE, EMPTY)))).metadata.video_id != one


def test_0_and_255_are_no_objects(tmp_path):
    parsed = parse(write(tmp_path, davis(masks=(ONE + 255 * box_mask(20, 10, 2, 2),))))
    assert [item.object_id for item in parsed.frames[0].objects] == [1]
    assert "1 mask is with pixels of 255, which are no object." in parsed.metadata.notes


def test_8_bit_grey_in_a_mask_folder_is_read_and_a_binary_one_refused(tmp_path):
    files = davis()
    files["Annotations/480p/bear/00001.png"] = palette_png(BOTH, mode="L")
    assert len(parse(write(tmp_path, files)).frames[1].objects) == 2
    binary = {name: palette_png(255 * ONE, mode="L") if name.endswith("png") else jpeg() for name in davis()}
    with pytest.raises(DataError, match=r"hold no object \(expected pixel values from 1 to 254; found only 0 and 255"):
        parse(write(tmp_path, binary))


def test_labels_of_youtube_vos(tmp_path):
    meta = {"videos": {"bear": {"objects": {"1": {"category": "bear"}, "7": {"category": "person"}}}}}
    parsed = parse(write(tmp_path, {**davis(), "meta.json": meta}))
    assert [track.label for track in parsed.tracks] == ["bear", "person"]


def test_labels_that_nobody_names(tmp_path):
    write(tmp_path, davis())
    assert [track.label for track in parse(tmp_path).tracks] == ["", ""]
    assert [track.label for track in parse(tmp_path, default_label="thing").tracks] == ["thing", "thing"]


def test_masks_are_scaled_to_frames_of_another_size(tmp_path):
    files = davis(masks=(ONE,))
    files["JPEGImages/480p/bear/00000.jpg"] = jpeg(2 * WIDTH, 2 * HEIGHT)
    assert parse(write(tmp_path, files)).frames[0].objects[0].bbox == (4, 6, 16, 10)


def png(mode, size=(WIDTH, HEIGHT)):
    import io

    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no mask (expected an indexed PNG; found 0 bytes)"),
        (jpeg(), "is no mask"),
        (png("RGB"), "expected an indexed PNG, or 8-bit grey; found RGB, 8 bits"),
        (png("RGBA"), "found RGB with alpha, 8 bits"),
        (png("I;16"), "found grey, 16 bits"),
        (png("1"), "found grey, 1 bits"),
        (palette_png(ONE)[:-30], "is a damaged picture"),
        (png("L", (HEIGHT, WIDTH)), "has width and height in each other's place (expected 24 x 16"),
    ],
)
def test_what_is_no_mask_is_named(tmp_path, content, words):
    files = davis()
    files["Annotations/480p/bear/00001.png"] = content
    with pytest.raises(DataError) as told:
        parse(write(tmp_path, files))
    assert told.value.source.endswith("Annotations/480p/bear/00001.png")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_frame_is_named(tmp_path):
    files = davis()
    del files["JPEGImages/480p/bear/00001.jpg"]
    with pytest.raises(DataError) as told:
        parse(write(tmp_path, files))
    assert told.value.source.endswith("Annotations/480p/bear/00001.png")
    assert told.value.expected == "00001.jpg or 00001.png among the frames"
    assert parse(tmp_path, pictures_required=False).frames[1].read_image is None


def test_a_folder_an_object_is_refused(tmp_path):
    files = {f"Annotations/v/{number:03d}/00000.png": palette_png(ONE) for number in range(2)}
    with pytest.raises(DataError, match="the masks of each object in a folder of its own"):
        parse(write(tmp_path, {**files, "JPEGImages/v/00000.jpg": jpeg()}))


@pytest.mark.parametrize("objects", [{"one": {}}, {"1": []}, {"1": {"category": 4}}, []])
def test_a_wrong_meta_is_named(tmp_path, objects):
    write(tmp_path, {**davis(), "meta.json": {"videos": {"bear": {"objects": objects}}}})
    with pytest.raises(DataError, match=r"meta.json: videos.bear.objects"):
        parse(tmp_path)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.uint8, (HEIGHT, WIDTH), elements=st.sampled_from([0, 1, 2, 254, 255])))
def test_each_objects_runs_are_those_of_pycocotools(indices):
    found = object_runs(indices)
    assert set(found) == set(np.unique(indices).tolist()) - {0, 255}
    for number, runs in found.items():
        coded = pycocotools.mask.encode(np.asfortranarray((indices == number).astype(np.uint8)))
        assert counts_from_runs(runs, HEIGHT, WIDTH) == coded["counts"].decode()
