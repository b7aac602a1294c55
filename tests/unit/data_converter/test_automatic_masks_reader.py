"""The automatic mask generator's files, one a picture."""

from __future__ import annotations

import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pycocotools.mask
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.errors import DataError

from .layouts import HEIGHT, WIDTH, box_mask, generated, jpeg, write

ONE, OTHER = box_mask(2, 3, 8, 5), box_mask(12, 1, 4, 9)


def parse(folder, **options):
    return SAM2Parser(**options).parse_zip(folder)


def test_a_list_a_picture(tmp_path):
    files = {"0.json": [generated(ONE), generated(OTHER)], "1.json": [generated(ONE)]}
    write(tmp_path, {**files, "0.jpg": jpeg(), "1.jpg": jpeg()})
    parsed = parse(tmp_path)
    first, second = parsed.frames
    assert first.objects[1].bbox == (12, 1, 4, 9)
    assert (first.objects[0].area, first.objects[0].confidence) == (40, 0.97)
    # the generator's own box is a pixel short; it is kept as written
    assert first.objects[0].stored_bbox == (2, 3, 7, 4)
    # masks of two pictures are never one object
    assert [item.object_id for item in (*first.objects, *second.objects)] == [0, 1, 2]
    assert (parsed.metadata.dialect, parsed.metadata.source_fps) == ("automatic-masks", None)
    assert parsed.metadata.evidence.startswith("0.json holds a list of masks")
    assert any(
        note.startswith("3 masks are with a stored box a pixel short on two sides") for note in parsed.metadata.notes
    )


def test_the_wrapping_of_sa_1b_and_masks_in_a_folder_of_their_own(tmp_path):
    top = {"image": {"image_id": 4, "width": WIDTH, "height": HEIGHT, "file_name": "sa_4.jpg"}}
    write(tmp_path, {"x/masks/sa_4.json": {**top, "annotations": [generated(ONE)]}, "x/images/sa_4.jpg": jpeg()})
    parsed = parse(tmp_path)
    assert parsed.frames[0].image_name == "x/images/sa_4.jpg"
    assert parsed.frames[0].objects[0].bbox == (2, 3, 8, 5)


def test_a_picture_in_which_nothing_was_found_is_a_negative_example(tmp_path):
    write(tmp_path, {"0.json": [], "1.json": [generated(ONE)], "0.jpg": jpeg(), "1.jpg": jpeg(), "info.json": {"a": 1}})
    parsed = parse(tmp_path)
    assert [len(frame.objects) for frame in parsed.frames] == [0, 1]
    assert "1 JSON file is not used, as without masks: info.json." in parsed.metadata.notes


def test_folders_are_videos_and_a_rate_gives_times(tmp_path):
    files = {f"{video}/{place}.json": [generated(ONE)] for video in "ab" for place in (0, 30)}
    write(tmp_path, {**files, **{name.replace("json", "jpg"): jpeg() for name in files}})
    parsed = parse(tmp_path, fps=30)
    assert [frame.timestamp_sec for frame in parsed.frames] == [0, 1, 0, 1]
    assert len({frame.sample_id for frame in parsed.frames}) == 4
    assert parsed.metadata.source_fps == 30


def test_a_missing_picture_is_named(tmp_path):
    write(tmp_path, {"0.json": [generated(ONE)], "1.jpg": jpeg()})
    with pytest.raises(DataError) as told:
        parse(tmp_path)
    assert told.value.source.endswith("0.json")
    assert (told.value.expected, told.value.found) == ("0.jpg or 0.png", "nothing")
    assert parse(tmp_path, pictures_required=False).frames[0].read_image is None


def test_two_pictures_of_one_name_are_refused(tmp_path):
    write(tmp_path, {"0.json": [generated(ONE)], "0.jpg": jpeg(), "images/0.png": jpeg()})
    with pytest.raises(DataError, match="holds two pictures that fit together with the same name"):
        parse(tmp_path)


def changed(**values):
    return lambda items: items[1].update(values)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (lambda items: items.append(7), "[2]", ("an object", "7")),
        (changed(segmentation=None), "[1].segmentation", ("size", "nothing")),
        (changed(segmentation=[[True, False]]), "[1].segmentation", ("size", "a list of 1 items")),
        (changed(segmentation={"size": [1, 2]}), "[1].segmentation", ("counts", "['size']")),
        (changed(segmentation={"size": [1], "counts": "0"}), "[1].segmentation", ("[height, width]", "[1]")),
        (changed(bbox=[1, 2, 3, None]), "[1].bbox[3]", ("a number", "null")),
        (changed(area=-1), "[1].area", ("a number from 0", "-1")),
        (changed(predicted_iou="high"), "[1].predicted_iou", ("a number", "the text 'high'")),
        (changed(stability_score=[]), "[1].stability_score", ("a number", "a list of 0 items")),
        (
            changed(**generated(box_mask(1, 1, 2, 2, width=HEIGHT, height=WIDTH))),
            "[1].segmentation.size",
            ("[16, 24]", "[24, 16]"),
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path, change, field, words):
    items = json.loads(json.dumps([generated(ONE), generated(OTHER)]))
    change(items)
    write(tmp_path, {"7.json": items, "7.jpg": jpeg()})
    with pytest.raises(DataError) as told:
        parse(tmp_path)
    assert (told.value.source.endswith("7.json"), told.value.field) == (True, field)
    assert words[0] in told.value.expected
    assert words[1] in told.value.found


@pytest.mark.parametrize(
    "value", [{"annotations": [], "image": 4}, {"image": {"width": -1}, "annotations": []}, "text", 3]
)
def test_what_is_no_list_of_masks_is_named(tmp_path, value):
    write(tmp_path, {"0.json": [generated(ONE)], "0.jpg": jpeg(), "1.json": value, "1.jpg": jpeg()})
    with pytest.raises(DataError, match=r"1\.json"):
        parse(tmp_path)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(np.uint8, (HEIGHT, WIDTH), elements=st.sampled_from([0, 1])))
def test_both_encodings_read_as_pycocotools_reads_them(tmp_path, mask):
    listed = {"size": [HEIGHT, WIDTH], "counts": runs_from_pixels(mask, "F").tolist()}
    write(tmp_path, {"0.json": [generated(mask), generated(mask, segmentation=listed)], "0.jpg": jpeg()})
    one, other = parse(tmp_path).frames[0].objects
    coded = pycocotools.mask.encode(np.asfortranarray(mask))
    assert (one.mask, one.bbox, one.area) == (other.mask, other.bbox, other.area)
    assert one.area == pycocotools.mask.area(coded)
    if one.visible:
        assert one.bbox == tuple(pycocotools.mask.toBbox(coded))
