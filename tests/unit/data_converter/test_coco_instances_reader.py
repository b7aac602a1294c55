"""COCO instances: polygons, list RLE and compressed RLE against pycocotools, and every field that can be wrong."""

from __future__ import annotations

import contextlib
import io
import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pycocotools.coco
import pycocotools.mask
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.polygons import runs_from_polygons
from sam2vlm.errors import DataError

from .layouts import HEIGHT, WIDTH, annotation, box_mask, image, instances, jpeg, rle, write

TRIANGLE = [[2.0, 2.0, 12.0, 2.0, 2.0, 12.0]]
CORNERS = st.lists(
    st.tuples(st.floats(-4, WIDTH + 4, width=32), st.floats(-4, HEIGHT + 4, width=32)), min_size=3, max_size=8
)
MASKS = hnp.arrays(np.uint8, (HEIGHT, WIDTH), elements=st.sampled_from([0, 1]))


def parse(folder, **options):
    return SAM2Parser(**options).parse_zip(folder)


def export(folder, segmentations, **more):
    """One picture, one annotation a segmentation."""
    annotations = [annotation(number, 1, value, **more) for number, value in enumerate(segmentations)]
    return write(folder, {"instances.json": instances([image(1, "a.jpg")], annotations), "images/a.jpg": jpeg()})


def oracle(folder):
    """The same file, read by pycocotools' own class."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pycocotools.coco.COCO(str(folder / "instances.json"))


@settings(max_examples=40, deadline=None)
@given(st.lists(CORNERS, min_size=1, max_size=3))
def test_polygons_are_drawn_as_pycocotools_draws_them(polygons):
    flat = [[float(value) for corner in corners for value in corner] for corners in polygons]
    runs = runs_from_polygons(flat, HEIGHT, WIDTH)
    coco = pycocotools.coco.COCO()
    coco.imgs = {1: {"height": HEIGHT, "width": WIDTH}}
    assert int(runs[1::2].sum()) == pycocotools.mask.area(coco.annToRLE({"image_id": 1, "segmentation": flat}))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MASKS, CORNERS)
def test_every_kind_of_segmentation_reads_as_pycocotools_reads_it(tmp_path, mask, corners):
    polygon = [[float(value) for corner in corners for value in corner]]
    listed = {"size": [HEIGHT, WIDTH], "counts": runs_from_pixels(mask, "F").tolist()}
    export(tmp_path, [polygon, listed, rle(mask)])
    objects = parse(tmp_path).frames[0].objects
    coco = oracle(tmp_path)
    for item, stored in zip(objects, coco.anns.values(), strict=True):
        expected = coco.annToRLE(stored)
        assert item.area == pycocotools.mask.area(expected)
        assert item.visible == bool(item.area)
        if item.visible:
            assert item.bbox == tuple(pycocotools.mask.toBbox(expected))
            counts = expected["counts"]
            assert item.mask.counts == (counts if isinstance(counts, str) else counts.decode())


def test_labels_ids_and_stored_boxes(tmp_path):
    export(tmp_path, [TRIANGLE, TRIANGLE], bbox=[2, 2, 10, 10], area=50, category=2, score=0.5)
    parsed = parse(tmp_path)
    one, other = parsed.frames[0].objects
    assert (one.object_id, other.object_id, one.label, one.confidence) == (0, 1, "crab", 0.5)
    assert (one.stored_bbox, one.stored_area) == ((2, 2, 10, 10), 50)
    assert parsed.metadata.dialect == "coco-instances"
    assert parsed.metadata.evidence == "instances.json holds images and annotations that name each other"


def test_an_image_without_annotations_is_a_negative_example(tmp_path):
    write(tmp_path, {"x.json": instances([image(5, "a.jpg")], []), "a.jpg": jpeg()})
    assert parse(tmp_path).frames[0].objects == ()


@pytest.mark.parametrize("where", [{"track_id": 9}, {"attributes": {"track_id": 9, "occluded": False}}])
def test_tracks_of_videos(tmp_path, where):
    images = [image(number, f"clip/frame_{6 * number:04d}.jpg") for number in range(3)]
    annotations = [annotation(number, number, TRIANGLE, **where) for number in range(3)]
    pictures = {f"data/clip/frame_{6 * number:04d}.jpg": jpeg() for number in range(3)}
    write(tmp_path, {"x.json": instances(images, annotations), **pictures})
    parsed = parse(tmp_path, fps=30)
    assert [frame.timestamp_sec for frame in parsed.frames] == [0, 0.2, 0.4]
    (track,) = parsed.tracks
    assert (track.object_id, track.visible_frames, track.last_frame) == (9, 3, 12)


def test_without_tracks_every_annotation_is_an_object_of_its_own(tmp_path):
    images = [image(number, f"{number}.jpg") for number in range(2)]
    annotations = [annotation(7, 0, TRIANGLE), annotation(3, 1, TRIANGLE)]
    write(tmp_path, {"x.json": instances(images, annotations), "0.jpg": jpeg(), "1.jpg": jpeg()})
    parsed = parse(tmp_path)
    assert [track.object_id for track in parsed.tracks] == [3, 7]
    assert any("have no track_id" in note for note in parsed.metadata.notes)
    assert any("tells no times" in note for note in parsed.metadata.notes)


def test_equal_names_in_two_folders_are_two_videos(tmp_path):
    images = [image(1, "a/0.jpg"), image(2, "b/0.jpg")]
    write(tmp_path, {"x.json": instances(images, [annotation(1, 2, TRIANGLE)]), "a/0.jpg": jpeg(), "b/0.jpg": jpeg()})
    parsed = parse(tmp_path)
    assert [(frame.image_name, len(frame.objects)) for frame in parsed.frames] == [("a/0.jpg", 0), ("b/0.jpg", 1)]
    assert len({frame.sample_id for frame in parsed.frames}) == 2


def test_never_another_images_picture(tmp_path):
    images = [image(1, "a/0.jpg"), image(2, "b/0.jpg")]
    write(tmp_path, {"x.json": instances(images, [annotation(1, 2, TRIANGLE)]), "a/0.jpg": jpeg()})
    with pytest.raises(DataError, match=r"images\[1\].file_name: is not in .* found b/0.jpg") as told:
        parse(tmp_path)
    assert told.value.exit_code == 65
    write(tmp_path, {"images/0.jpg": jpeg()})
    (tmp_path / "a" / "0.jpg").unlink()
    with pytest.raises(DataError, match="is the picture of another image"):
        parse(tmp_path)


@pytest.mark.parametrize("name", ["/home/somebody/a.jpg", "C:\\data\\a.jpg", "images/a.jpg", "./a.jpg"])
def test_a_picture_by_somebodys_own_path(tmp_path, name):
    write(tmp_path, {"x.json": instances([image(1, name)], []), "images/a.jpg": jpeg()})
    assert parse(tmp_path).frames[0].image_name == "images/a.jpg"


def test_polygons_are_scaled_to_pictures_of_another_size(tmp_path):
    export(tmp_path, [[[2, 2, 6, 2, 6, 10, 2, 10]]])
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg(2 * WIDTH, 2 * HEIGHT))
    parsed = parse(tmp_path)
    assert parsed.frames[0].objects[0].bbox == (4, 4, 8, 16)
    assert any("on a grid of 24 x 16" in note for note in parsed.metadata.notes)


def test_what_has_no_mask_is_not_visible_and_told(tmp_path):
    export(tmp_path, [[], None, rle(box_mask(0, 0, 0, 0))], bbox=[1, 1, 2, 2])
    parsed = parse(tmp_path)
    assert [item.visible for item in parsed.frames[0].objects] == [False, False, False]
    assert "2 annotations are without a mask; such an object counts as not visible." in parsed.metadata.notes


def test_crowds_are_told(tmp_path):
    export(tmp_path, [rle(box_mask(0, 0, 5, 5))], iscrowd=1)
    assert "1 annotation is of a crowd and was read as one object." in parse(tmp_path).metadata.notes


def test_two_files_are_refused(tmp_path):
    write(tmp_path, {"a.json": instances([image(1, "a.jpg")], []), "b.json": instances([image(1, "a.jpg")], [])})
    with pytest.raises(DataError, match=r"holds more than one COCO file .* found a\.json, b\.json"):
        parse(tmp_path)


def first(table, key, value):
    return lambda content: content[table][0].update({key: value})


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (first("images", "id", "1"), "images[0].id", ("an integer", "the text '1'")),
        (first("images", "file_name", ""), "images[0].file_name", ("text", "nothing")),
        (first("images", "file_name", 4), "images[0].file_name", ("text", "4")),
        (first("images", "width", -24), "images[0].width", ("an integer from 1", "-24")),
        (first("images", "height", 2**30), "annotations[0].segmentation", ("268435456 pixels", "1073741824 x 24")),
        (lambda c: c["images"].append(image(1, "b.jpg")), "images[1].id", ("an id of its own", "1 also in images[0]")),
        (lambda c: c["images"].append(7), "images[1]", ("an object", "7")),
        (lambda c: c["images"].append(image(2, "a.jpg")), "images[1].file_name", ("one image", "images[0]")),
        (first("annotations", "image_id", 9), "annotations[0].image_id", ("the id of a member of images", "9")),
        (first("annotations", "category_id", 9), "annotations[0].category_id", ("one of [1, 2]", "9")),
        (first("annotations", "bbox", [1, 2, 3]), "annotations[0].bbox", ("a list of 4 numbers", "3 items")),
        (first("annotations", "area", "big"), "annotations[0].area", ("a number", "the text 'big'")),
        (lambda c: c["annotations"][1].update(id=0), "annotations[1].id", ("an id of its own", "0 also in")),
        (lambda c: c["categories"][1].update(id=1), "categories[1].id", ("an id of its own", "1 also in")),
        (lambda c: c["categories"][0].pop("name"), "categories[0].name", ("text", "nothing")),
        (lambda c: c.update(categories={}), "categories", ("a list of objects", "an object")),
        (first("annotations", "segmentation", "7 8"), "annotations[0].segmentation", ("polygons or an RLE", "'7 8'")),
        (first("annotations", "segmentation", [1, 2]), "annotations[0].segmentation", ("[x1, y1, x2, y2", "1 at 0")),
        (first("annotations", "segmentation", [[1, 2, 3, 4]]), "annotations[0].segmentation", ("6 or more", "4 numb")),
        (first("annotations", "segmentation", [[1] * 7]), "annotations[0].segmentation", ("even count", "7 numbers")),
        (first("annotations", "segmentation", [["1"] * 6]), "annotations[0].segmentation", ("numbers", "'1' at 0")),
        (
            first("annotations", "segmentation", [[1e9] * 6]),
            "annotations[0].segmentation",
            ("x in a pic", "1000000000"),
        ),
        (first("annotations", "segmentation", [[10**400] * 6]), "annotations[0].segmentation", ("x in a", "1329 bits")),
        (
            first("annotations", "segmentation", {"size": [HEIGHT, WIDTH], "counts": [3]}),
            "annotations[0].segmentation",
            ("384 (24 x 16)", "a sum of 3"),
        ),
        (
            first("annotations", "segmentation", {"size": [WIDTH, HEIGHT], "counts": [384]}),
            "annotations[0].segmentation.size",
            ("[16, 24]", "[24, 16]"),
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path, change, field, words):
    annotations = [annotation(0, 1, TRIANGLE), annotation(1, 1, TRIANGLE)]
    content = json.loads(json.dumps(instances([image(1, "a.jpg")], annotations)))
    change(content)
    write(tmp_path, {"instances.json": content, "images/a.jpg": jpeg(), "images/b.jpg": jpeg()})
    with pytest.raises(DataError) as told:
        parse(tmp_path)
    assert told.value.source.endswith("instances.json")
    assert told.value.field == field
    assert words[0] in told.value.expected
    assert words[1] in told.value.found
    assert "\n" not in str(told.value)


def test_one_track_twice_in_an_image_is_refused(tmp_path):
    export(tmp_path, [TRIANGLE, TRIANGLE], track_id=4)
    with pytest.raises(DataError, match=r"annotations\[1\].track_id: occurs twice in one image"):
        parse(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["images", "annotations", "categories"]), st.data())
def test_any_value_in_any_table_is_read_or_told_in_one_sentence(tmp_path, table, data):
    content = instances([image(1, "a.jpg")], [annotation(0, 1, TRIANGLE, bbox=[1, 1, 2, 2])])
    key = data.draw(st.sampled_from(sorted(content[table][0])))
    content[table][0][key] = data.draw(json_values)
    write(tmp_path, {"instances.json": content, "images/a.jpg": jpeg()})
    said = str(tmp_path)
    try:
        parse(tmp_path)
    except DataError as error:
        said = str(error)
    assert said.startswith(str(tmp_path))
    assert "\n" not in said
