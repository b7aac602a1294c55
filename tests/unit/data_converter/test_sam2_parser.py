"""Whole exports: right ones, those that people re-packed, and wrong ones."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2vlm.annotations.coco_rle import decode_mask
from sam2vlm.annotations.runs import decode_runs, runs_from_pixels, runs_from_text
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.archive import ArchiveLimits
from sam2vlm.data_converter.sam2_parser import EMPTY_WITHOUT_PICTURE
from sam2vlm.errors import DataError, SettingsError

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "sam2_demo_export"


def picture(width, height, kind="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (9, 40, 90)).save(stream, kind)
    return stream.getvalue()


def parse(export, tmp_path, **options):
    return SAM2Parser(**options).parse_zip(export.zip(tmp_path / "export.zip"))


def refused(export, tmp_path, **options):
    with pytest.raises(DataError) as told:
        parse(export, tmp_path, **options)
    return told.value


def first_object(export):
    return export.annotations["annotations"][0]["objects"][0]


def test_the_demo_tools_export(export, tmp_path):
    parser = SAM2Parser()
    parsed = parser.parse_zip(export.zip(tmp_path / "export.zip"))
    assert parser.get_frames() == list(parsed.frames)
    assert parser.metadata is parsed.metadata
    assert [frame.frame_index for frame in parsed.frames] == [0, 6, 12]
    frame = parsed.frames[1]
    assert (frame.width, frame.height, frame.timestamp_sec) == (96, 64, 0.2)
    assert frame.sample_id == f"{parsed.metadata.video_id}/000006"
    assert frame.read_image() == export.pictures["images/frame_000006.png"]
    fish, crab = frame.objects
    # grid (106, 64, 32, 16) on a frame of 96 x 64: x by 96/256, y by 64/256
    assert fish.bbox == (39.75, 16.0, 12.0, 4.0)
    assert fish.area == 48.0
    assert (fish.label, fish.confidence, fish.stored_bbox, fish.stored_area) == ("fish", 0.95, (64, 106, 16, 32), 512)
    assert np.array_equal(decode_mask(crab.mask), decode_runs(runs_from_text(crab_text(export)), 256, 256, "C"))
    assert parsed.metadata.dialect == "sam2-demo-1.0.0"
    assert "transposed box of 6 of 6 masks" in parsed.metadata.evidence
    assert parsed.metadata.frame_indices == (0, 6, 12)
    assert parsed.dropped == {}


def crab_text(export):
    return export.annotations["annotations"][1]["objects"][1]["mask_rle"]


def test_a_folder_reads_as_its_zip(export, tmp_path):
    zipped = parse(export, tmp_path)
    folder = SAM2Parser().parse_zip(str(export.folder(tmp_path / "folder")))
    assert folder == zipped


def test_repacked_by_hand(export, tmp_path):
    expected = parse(export, tmp_path)
    export.wrap = "Mein Export/größe/"
    export.pictures = {
        "frames/0.PNG": export.pictures["images/frame_000000.png"],
        "frames/frame_0006.JPG": picture(96, 64, "JPEG"),
        "frames/12.jpeg": picture(96, 64, "JPEG"),
        "../../__MACOSX/._frame_000000.png": b"",
    }
    del export.pictures["../../__MACOSX/._frame_000000.png"]
    parsed = parse(export, tmp_path)
    assert [frame.objects for frame in parsed.frames] == [frame.objects for frame in expected.frames]
    assert parsed.frames[1].image_name == "Mein Export/größe/frames/frame_0006.JPG"


def test_frames_come_sorted(export, tmp_path):
    expected = parse(export, tmp_path)
    export.annotations["annotations"].reverse()
    assert [frame.frame_index for frame in parse(export, tmp_path).frames] == [0, 6, 12]
    assert expected.metadata.video_id != parse(export, tmp_path).metadata.video_id


def test_the_identity_is_the_annotations_content(export, tmp_path):
    before = parse(export, tmp_path).metadata.video_id
    export.wrap, export.metadata = "other/", None
    assert parse(export, tmp_path).metadata.video_id == before
    assert len(before) == 12


def test_an_absent_object_is_kept_and_not_visible(export, tmp_path):
    first_object(export).update(mask_rle="65536", bbox=[0, 0, 0, 0], area=0)
    frame = parse(export, tmp_path).frames[0]
    assert [item.visible for item in frame.objects] == [False, True]
    assert (frame.objects[0].bbox, frame.objects[0].area) == (None, 0)
    assert [item.label for item in frame.visible_objects] == ["crab"]


def test_without_metadata_the_annotations_serve(export, tmp_path):
    export.metadata = None
    metadata = parse(export, tmp_path).metadata
    assert (metadata.width, metadata.height, metadata.dialect) == (96, 64, "sam2-demo-1.0.0")
    assert metadata.notes[0].startswith("metadata.json is missing")


def test_without_any_size_the_pictures_serve(export, tmp_path):
    export.metadata = None
    del export.annotations["video"]
    parsed = parse(export, tmp_path)
    assert (parsed.metadata.width, parsed.metadata.height) == (96, 64)
    assert (parsed.frames[0].width, parsed.frames[0].height) == (96, 64)
    assert any("each picture's own" in note for note in parsed.metadata.notes)


def test_metadata_alone_may_tell_the_size(export, tmp_path):
    del export.annotations["video"]
    parsed = parse(export, tmp_path)
    assert (parsed.metadata.width, parsed.metadata.source_fps) == (96, 30.0)


def test_a_contradiction_of_sizes_is_told(export, tmp_path):
    export.metadata["video"]["width"] = 95
    assert any("96 x 64, metadata.json says 95 x 64" in note for note in parse(export, tmp_path).metadata.notes)


def test_a_picture_of_another_size_gives_boxes_in_its_own_pixels(export, tmp_path):
    export.pictures["images/frame_000006.png"] = picture(192, 128)
    parsed = parse(export, tmp_path)
    assert (parsed.frames[1].width, parsed.frames[1].height) == (192, 128)
    assert parsed.frames[1].objects[0].bbox == (79.5, 32.0, 24.0, 8.0)
    assert any(note.startswith("Frame 6 has a picture of another size") for note in parsed.metadata.notes)


def test_coco_masks_of_another_exporter(export, tmp_path):
    mask = np.zeros((64, 96), np.uint8)
    mask[8:24, 30:40] = 1
    runs = runs_from_pixels(mask, "F").tolist()
    export.metadata = None
    del export.annotations["export_config"]
    for record in export.annotations["annotations"]:
        record["objects"] = [{"object_id": 4, "label": "eel", "segmentation": {"size": [64, 96], "counts": runs}}]
    parsed = parse(export, tmp_path)
    assert parsed.metadata.dialect == "coco-uncompressed"
    assert parsed.metadata.evidence == "the shape of the masks: 3 coco-uncompressed"
    assert parsed.frames[0].objects[0].bbox == (30, 8, 10, 16)
    assert parsed.frames[0].objects[0].area == 160


def test_a_coarser_coco_grid_is_scaled_and_told(export, tmp_path):
    first_object(export)["mask_rle"] = {"size": [32, 48], "counts": [32 * 10 + 4, 2, 32 * 48 - 32 * 10 - 6]}
    parsed = parse(export, tmp_path)
    assert parsed.frames[0].objects[0].bbox == (20, 8, 2, 4)
    assert parsed.frames[0].objects[0].area == 8
    assert any("1 mask is on a grid of 48 x 32" in note for note in parsed.metadata.notes)
    assert any("more than one way" in note for note in parsed.metadata.notes)


def test_swapped_width_and_height_are_refused(export, tmp_path):
    first_object(export)["mask_rle"] = {"size": [96, 64], "counts": [96 * 64]}
    told = refused(export, tmp_path)
    assert told.field == "annotations[0].objects[0].mask_rle.size"
    assert told.expected == "[height, width] = [64, 96]"


def test_missing_exporter_fields_are_no_reason_to_guess(export, tmp_path):
    export.metadata = None
    del export.annotations["export_config"]
    told = refused(export, tmp_path)
    assert told.field == "annotations[0].objects[0].mask_rle"
    assert "set the dialect to sam2-demo-1.0.0" in str(told)
    # pictures of one colour have no edges: both orders score nothing
    assert told.found == "0.00 row by row and 0.00 column by column over 6 masks"
    forced = parse(export, tmp_path, dialect="sam2-demo-1.0.0")
    assert forced.frames[0].objects[0].bbox == (37.5, 16, 12, 4)
    assert forced.metadata.evidence.startswith("the dialect setting is sam2-demo-1.0.0")


def test_differences_between_the_three_lists_of_frames_are_told(export, tmp_path):
    export.annotations["export_config"].update(frame_indices=[0, 6, 18, 24, 24], total_exported_frames=5)
    export.pictures["images/frame_000099.png"] = picture(96, 64)
    export.pictures["images/cover.png"] = picture(96, 64)
    notes = parse(export, tmp_path).metadata.notes
    assert "2 frames are in frame_indices but have no annotations: 18, 24." in notes
    assert "Frame 12 is annotated but not in frame_indices." in notes
    assert "frame_indices names 1 frames more than once." in notes
    assert "Frame 99 has a picture but no annotations." in notes
    assert "total_exported_frames is 5, but 3 frames are annotated." in notes
    assert "1 picture is not used, as by name or place no frame's: images/cover.png." in notes


def test_an_empty_frame_without_picture_is_left_out_and_told(export, tmp_path):
    export.annotations["annotations"][2]["objects"] = []
    del export.pictures["images/frame_000012.png"]
    parsed = parse(export, tmp_path)
    assert [frame.frame_index for frame in parsed.frames] == [0, 6]
    assert parsed.dropped == {EMPTY_WITHOUT_PICTURE: (12,)}
    assert "Frame 12 has no visible object and no picture and was left out." in parsed.metadata.notes


def test_an_empty_frame_with_its_picture_is_a_negative_example(export, tmp_path):
    export.annotations["annotations"][2]["objects"] = []
    assert parse(export, tmp_path).frames[2].objects == ()


def test_a_missing_picture_names_the_file(export, tmp_path):
    del export.pictures["images/frame_000006.png"]
    told = refused(export, tmp_path)
    assert told.source.endswith("export.zip: annotations.json")
    assert told.field == "annotations[1].frame_index"
    assert "frame 6 has no picture in export.zip" in str(told)
    assert told.expected == "images/frame_000006.png"
    assert told.exit_code == 65
    kept = parse(export, tmp_path, pictures_required=False)
    assert kept.frames[1].read_image is None


def test_no_frame_left_is_refused(export, tmp_path):
    for record in export.annotations["annotations"]:
        record["objects"] = []
    export.pictures = {}
    assert "no usable frame" in str(refused(export, tmp_path))
    export.annotations["annotations"] = []
    assert "no usable frame" in str(refused(export, tmp_path))


def test_missing_times_come_from_the_rate_and_without_one_are_refused(export, tmp_path):
    for record in export.annotations["annotations"]:
        del record["timestamp_sec"]
    parsed = parse(export, tmp_path)
    assert [frame.timestamp_sec for frame in parsed.frames] == [0, 0.2, 0.4]
    assert any("3 frames are without a timestamp" in note for note in parsed.metadata.notes)
    export.metadata = None
    del export.annotations["video"]["source_fps"]
    assert refused(export, tmp_path).field == "annotations[0].timestamp_sec"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (lambda a: a.pop("annotations"), "annotations", ("a list of objects", "nothing")),
        (lambda a: a.update(annotations={}), "annotations", ("a list of objects", "an object with 0 members")),
        (lambda a: a.update(annotations=[7]), "annotations[0]", ("an object", "7")),
        (lambda a: a.update(video=[]), "video", ("an object", "a list of 0 items")),
        (lambda a: a["video"].update(width="96"), "video.width", ("an integer", "the text '96'")),
        (lambda a: a["video"].update(width=-1), "video.width", ("an integer from 1", "-1")),
        (lambda a: a["video"].update(height=10**50), "video.height", ("an integer from 1", str(10**50))),
        (lambda a: a["video"].update(source_fps=-3), "video.source_fps", ("a number from 0", "-3")),
        (
            lambda a: a["export_config"].update(frame_indices=[0, -6]),
            "export_config.frame_indices[1]",
            ("integer", "-6"),
        ),
        (lambda a: a["annotations"][1].pop("frame_index"), "annotations[1].frame_index", ("an integer", "nothing")),
        (lambda a: a["annotations"][1].update(frame_index=-6), "annotations[1].frame_index", ("from 0", "-6")),
        (lambda a: a["annotations"][1].update(frame_index=6.5), "annotations[1].frame_index", ("an integer", "6.5")),
        (lambda a: a["annotations"][1].update(frame_index=True), "annotations[1].frame_index", ("an integer", "true")),
        (
            lambda a: a["annotations"][1].update(frame_index=0),
            "annotations[1].frame_index",
            ("one record a frame", "[0]"),
        ),
        (lambda a: a["annotations"][1].update(timestamp_sec="0"), "annotations[1].timestamp_sec", ("a number", "'0'")),
        (lambda a: a["annotations"][1].pop("objects"), "annotations[1].objects", ("a list of objects", "nothing")),
    ],
)
def test_a_wrong_envelope_names_the_field(export, tmp_path, change, field, words):
    change(export.annotations)
    told = refused(export, tmp_path)
    assert told.source == f"{tmp_path / 'export.zip'}: annotations.json"
    assert told.field == field
    assert words[0] in told.expected
    assert words[1] in told.found


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"object_id": None}, "object_id", ("an integer", "nothing")),
        ({"object_id": "1"}, "object_id", ("an integer", "the text '1'")),
        ({"object_id": 2}, "object_id", ("one mask an object", "2 also in")),
        ({"label": 5}, "label", ("text", "5")),
        ({"label": "\ud800"}, "label", ("Unicode", "\\ud800")),
        ({"bbox": [1, 2, 3]}, "bbox", ("a list of 4 numbers", "a list of 3 items")),
        ({"bbox": [1, 2, -3, 4]}, "bbox[2]", ("a number from 0", "-3")),
        ({"bbox": [1, 2, 3, "4"]}, "bbox[3]", ("a number", "the text '4'")),
        ({"area": -1}, "area", ("a number from 0", "-1")),
        ({"confidence": "high"}, "confidence", ("a number", "the text 'high'")),
        ({"mask_rle": None}, "mask_rle", ("a mask", "nothing")),
        ({"mask_rle": ""}, "mask_rle", ("integers separated by blanks", "nothing")),
        ({"mask_rle": "1 2 x"}, "mask_rle", ("integers separated by blanks", "1 2 x")),
        ({"mask_rle": "10 20 30"}, "mask_rle", ("65536 (256 x 256)", "a sum of 60")),
        ({"mask_rle": 5}, "mask_rle", ("a string, a list or an object", "int 5")),
        ({"mask_rle": {"size": [64, 96], "counts": "PPPP"}}, "mask_rle", ("ends with a number", "PPPP")),
    ],
)
def test_a_wrong_object_names_the_field(export, tmp_path, change, field, words):
    first_object(export).update(change)
    told = refused(export, tmp_path)
    assert told.field.startswith("annotations[0].objects[")
    assert told.field.endswith(f"].{field}")
    assert words[0] in told.expected
    assert words[1] in told.found
    assert "\n" not in str(told)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[1]", "wrong shape (expected a JSON object; found a list of 1 items)"),
        (b"null", "wrong shape"),
        (b'{"annotations": NaN}', "NaN is no JSON number"),
        (b'{"annotations": [], "annotations": []}', "the key 'annotations' occurs twice"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"a":' * 200_000, "is nested too deeply"),
        (b"1" * 10_000, "is not JSON"),
        (b'{"video": {"width": 1e999, "height": 5}, "annotations": []}', "wrong type"),
    ],
)
def test_json_that_is_none_is_told(export, tmp_path, content, what):
    folder = export.folder(tmp_path / "folder")
    (folder / "annotations.json").write_bytes(content)
    with pytest.raises(DataError) as told:
        SAM2Parser().parse_zip(folder)
    assert "folder: annotations.json" in str(told.value)
    assert what in str(told.value)


def test_a_byte_order_mark_does_no_harm(export, tmp_path):
    folder = export.folder(tmp_path / "folder")
    (folder / "annotations.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(export.annotations).encode())
    assert len(SAM2Parser().parse_zip(folder).frames) == 3


def test_limits_reach_the_archive(export, tmp_path):
    assert "annotations.json, which is too large" in str(refused(export, tmp_path, limits=ArchiveLimits(json_bytes=9)))
    assert "too many entries" in str(refused(export, tmp_path, limits=ArchiveLimits(entries=2)))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0rubbish"])
def test_a_picture_that_is_none_is_named(export, tmp_path, content):
    export.pictures["images/frame_000006.png"] = content
    assert "images/frame_000006.png: is no picture" in str(refused(export, tmp_path))


def test_a_picture_of_impossible_size_is_named(export, tmp_path):
    huge = bytearray(picture(8, 8))
    huge[16:24] = (10**9).to_bytes(4, "big") * 2
    export.pictures["images/frame_000006.png"] = bytes(huge)
    assert "is a picture of an impossible size" in str(refused(export, tmp_path))


def test_a_jpeg_with_a_long_head_is_measured(export, tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (96, 64)).save(stream, "JPEG", icc_profile=os.urandom(60_000))
    export.pictures["images/frame_000006.png"] = stream.getvalue()
    assert parse(export, tmp_path).frames[1].width == 96


def test_asking_before_reading_is_told():
    with pytest.raises(DataError, match="call parse_zip first"):
        SAM2Parser().get_frames()


def test_a_wrong_dialect_is_told_before_anything_is_read():
    with pytest.raises(SettingsError):
        SAM2Parser(dialect="yolo")


def read_or_told(path):
    try:
        frames = SAM2Parser().parse_zip(path).frames
        for frame in frames:
            frame.read_image()
    except DataError as error:
        return (), str(error)
    return frames, ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths_below(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths_below(value[key], (*path, key))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_value_anywhere_is_read_or_told_in_one_sentence(export, tmp_path, data):
    changed = export.copy()
    path = data.draw(st.sampled_from([path for path in paths_below(changed.annotations) if path]))
    place = changed.annotations
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = data.draw(json_values)
    frames, said = read_or_told(changed.zip(tmp_path / "export.zip"))
    assert frames or said.startswith(f"{tmp_path / 'export.zip'}: ")
    assert "\n" not in said


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_any_damaged_byte_is_survived_or_told(export, tmp_path, position, flip):
    path = export.zip(tmp_path / "whole.zip")
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= flip
    path.write_bytes(content)
    frames, said = read_or_told(path)
    assert frames or "whole.zip" in said


@pytest.mark.skipif(not REAL.is_dir(), reason="the real export is not beside this checkout")
def test_the_real_export(tmp_path):
    shutil.copytree(REAL, tmp_path / "export")
    (tmp_path / "export").chmod(0o755)
    (tmp_path / "export" / "images").mkdir()
    for index in (0, 6, 12, 18, 24, 30):
        (tmp_path / "export" / "images" / f"frame_{index:06d}.png").write_bytes(picture(854, 480))
    parsed = SAM2Parser().parse_zip(tmp_path / "export")
    assert parsed.metadata.dialect == "sam2-demo-1.0.0"
    objects = [item for frame in parsed.frames for item in frame.objects]
    assert len(objects) == 18
    for item in objects:
        rows, columns = np.nonzero(decode_mask(item.mask))
        x, y, w, h = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        assert item.stored_bbox == (y, x, h, w)
        assert item.stored_area == rows.size
        assert item.bbox == pytest.approx((x * 854 / 256, y * 480 / 256, w * 854 / 256, h * 480 / 256))
        assert item.area == pytest.approx(rows.size * 854 * 480 / 65536)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real export is not beside this checkout")
def test_the_real_frames_give_the_boxes_that_row_major_runs_give_by_hand():
    # Straight from the strings, without any of the reader's own code: np.repeat in C order on 256 x 256, then x by
    # W/256 and y by H/256. The stored box has to be the transposed one.
    stored = json.loads((REAL / "annotations.json").read_text())["annotations"]
    parsed = SAM2Parser(pictures_required=False).parse_zip(REAL)
    assert [frame.frame_index for frame in parsed.frames] == [record["frame_index"] for record in stored]
    for frame, record in zip(parsed.frames, stored, strict=True):
        for item, told in zip(frame.objects, record["objects"], strict=True):
            runs = np.array(told["mask_rle"].split(), int)
            pixels = np.repeat(np.arange(runs.size) % 2, runs).reshape(256, 256)
            rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
            x, y = columns[0], rows[0]
            w, h = columns[-1] - x + 1, rows[-1] - y + 1
            assert told["bbox"] == [y, x, h, w]
            assert item.bbox == pytest.approx((x * 854 / 256, y * 480 / 256, w * 854 / 256, h * 480 / 256))
            assert item.area == pytest.approx(pixels.sum() * (854 / 256) * (480 / 256))
    assert [track.visible_frames for track in parsed.tracks] == [6, 6, 6]
    assert parsed.metadata.evidence.endswith("the stored box is the transposed box of 18 of 18 masks")


def test_ten_thousand_frames_parse_in_seconds(export, tmp_path):
    # Two hundred frames here; the time a frame is what a whole export is made of. The bound is loose on purpose.
    import time

    record = export.annotations["annotations"][0]
    export.annotations["annotations"] = [{**record, "frame_index": index} for index in range(200)]
    export.pictures = {f"images/{index}.png": export.pictures["images/frame_000000.png"] for index in range(200)}
    path = export.zip(tmp_path / "export.zip")
    began = time.process_time()
    SAM2Parser().parse_zip(path)
    assert (time.process_time() - began) / 200 < 0.002


def test_reading_leaves_nothing_behind(export, tmp_path):
    path = export.zip(tmp_path / "export.zip")
    SAM2Parser().parse_zip(path)
    assert [item.name for item in tmp_path.iterdir()] == ["export.zip"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
