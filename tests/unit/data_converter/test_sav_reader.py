"""SA-V files: their masklets, their times, their pictures, and the two real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.errors import DataError

from .layouts import HEIGHT, WIDTH, box_mask, jpeg, rle, sav, write

REAL = Path(__file__).parents[3].parent / "shared" / "data"
NOTHING = np.zeros((HEIGHT, WIDTH), np.uint8)
# object 0 leaves and comes back, object 1 comes late
ROWS = [
    [box_mask(1, 2, 3, 4), NOTHING],
    [NOTHING, NOTHING],
    [box_mask(5, 2, 3, 4), box_mask(10, 3, 8, 2)],
]


def frames_folder(names, width=WIDTH, height=HEIGHT):
    return {f"frames/{name}": jpeg(width, height) for name in names}


def parse(folder, **options):
    return SAM2Parser(**options).parse_zip(folder)


def refused(folder, **options):
    with pytest.raises(DataError) as told:
        parse(folder, **options)
    assert "\n" not in str(told.value)
    return told.value


def test_a_file_with_its_frames(tmp_path):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS), **frames_folder(["00000.jpg", "00004.jpg", "00008.jpg"])})
    parsed = parse(tmp_path)
    assert [(frame.sample_id, frame.timestamp_sec) for frame in parsed.frames] == [
        ("sav_7/000000", 0), ("sav_7/000004", 4 / 24), ("sav_7/000008", 8 / 24)
    ]  # fmt: skip
    assert [frame.image_name for frame in parsed.frames] == [f"frames/{name:05d}.jpg" for name in (0, 4, 8)]
    assert parsed.frames[2].objects[1].bbox == (10, 3, 8, 2)
    assert [[item.visible for item in frame.objects] for frame in parsed.frames] == [
        [True, False], [False, False], [True, True]
    ]  # fmt: skip
    assert (parsed.metadata.dialect, parsed.metadata.source_fps) == ("sa-v", 24)
    assert parsed.metadata.evidence == "sav_7_manual.json holds masklet[frame][object]"
    leaves, late = parsed.tracks
    assert (leaves.first_frame, leaves.visibility_changes) == (0, 2)
    assert (late.first_frame, late.first_sec, late.visibility_changes) == (8, 8 / 24, 0)
    assert "The pictures of sav_7 are numbered by the video's frame index from 0." in parsed.metadata.notes


@pytest.mark.parametrize(
    ("numbers", "used"),
    [
        (range(3), (0, 1, 2)),
        (range(1, 4), (1, 2, 3)),
        (range(12), (0, 4, 8)),
        (range(1, 13), (1, 5, 9)),
        ((1, 5, 9), (1, 5, 9)),
        ((4, 8), (None, 4, 8)),
        ((0, 1), (0, 1, None)),
    ],
)
def test_pictures_are_found_by_every_numbering(tmp_path, numbers, used):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS), **frames_folder(f"{number}.jpg" for number in numbers)})
    frames = parse(tmp_path, pictures_required=False).frames
    assert [frame.image_name for frame in frames] == [None if name is None else f"frames/{name}.jpg" for name in used]


@pytest.mark.parametrize("numbers", [(0,), (0, 4, 7), (2, 3), (3, 30)])
def test_numbers_that_could_be_two_things_are_refused(tmp_path, numbers):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS), **frames_folder(f"{number}.jpg" for number in numbers)})
    assert "whose numbers do not tell which frames they are" in str(refused(tmp_path, pictures_required=False))


def test_without_pictures_the_frames_wait_for_them(tmp_path):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS)})
    told = refused(tmp_path)
    assert (told.field, told.expected) == ("masklet[0]", "sav_7/00000.jpg")
    parsed = parse(tmp_path / "sav_7_manual.json", pictures_required=False)
    assert [frame.read_image for frame in parsed.frames] == [None, None, None]
    assert parsed.frames == parse(tmp_path, pictures_required=False).frames
    assert parsed.dropped == {}


def test_an_empty_frame_without_picture_is_left_out_where_pictures_are_needed(tmp_path):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS), **frames_folder(["0.jpg", "8.jpg"])})
    parsed = parse(tmp_path)
    assert [frame.frame_index for frame in parsed.frames] == [0, 8]
    assert list(parsed.dropped.values()) == [(4,)]


def test_masks_are_scaled_to_pictures_of_another_size(tmp_path):
    names = ["0.jpg", "1.jpg", "2.jpg"]
    write(tmp_path, {"sav_7_auto.json": sav(ROWS), **frames_folder(names, 2 * WIDTH, 3 * HEIGHT)})
    parsed = parse(tmp_path)
    assert parsed.frames[0].objects[0].bbox == (2, 6, 6, 12)
    assert parsed.frames[0].objects[0].area == 72
    assert "6 masks are on a grid of 24 x 16; boxes and areas were scaled to the frame." in parsed.metadata.notes


def test_manual_and_automatic_masklets_of_one_video_keep_apart(tmp_path):
    write(tmp_path, {"a/sav_7_auto.json": sav(ROWS), "a/sav_7_manual.json": sav([row[:1] for row in ROWS])})
    parsed = parse(tmp_path, pictures_required=False)
    assert [item.object_id for item in parsed.frames[0].objects] == [0, 1, 2]
    # the manual file keeps its numbers
    assert [track.visibility_changes for track in parsed.tracks] == [2, 2, 0]
    assert any("sav_7_auto.json are numbered from 1 on" in note for note in parsed.metadata.notes)


def test_several_videos_of_one_export(tmp_path):
    files = {f"{video}_manual.json": sav(ROWS, video_id=video) for video in ("sav_1", "sav_2")}
    pictures = {f"frames/{video}/{place}.jpg": jpeg() for video in ("sav_1", "sav_2") for place in range(3)}
    write(tmp_path, {**files, **pictures})
    parsed = parse(tmp_path)
    assert [frame.image_name for frame in parsed.frames][3:] == [f"frames/sav_2/{place}.jpg" for place in range(3)]
    assert {track.video_id for track in parsed.tracks} == {"sav_1", "sav_2"}


def test_the_files_own_account_of_visibility_is_compared(tmp_path):
    content = sav(ROWS, masklet_visibility_changes=[2, 1], masklet_first_appeared_frame=[0.0, 2.0])
    write(tmp_path, {"sav_7_manual.json": content})
    notes = parse(tmp_path, pictures_required=False).metadata.notes
    assert [note for note in notes if "masks say" in note] == [
        "sav_7_manual.json says 1 in masklet_visibility_changes[1], its masks say 0; the masks were used."
    ]


def test_a_label_for_what_has_none(tmp_path):
    write(tmp_path, {"sav_7_manual.json": sav(ROWS)})
    assert parse(tmp_path, pictures_required=False).tracks[0].label == ""
    assert parse(tmp_path, pictures_required=False, default_label="object").tracks[0].label == "object"


def changed(key, value):
    return lambda content: content.update({key: value})


def in_masklet(frame, place, value):
    return lambda content: content["masklet"][frame].__setitem__(place, value)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (changed("video_id", None), "video_id", ("text", "nothing")),
        (changed("video_id", "../up"), "video_id", ("letters, digits", "../up")),
        (changed("video_id", 7), "video_id", ("text", "7")),
        (changed("video_width", "24"), "video_width", ("an integer", "the text '24'")),
        (changed("video_height", 0), "video_height", ("an integer from 1", "0")),
        (changed("video_frame_count", 2), "video_frame_count", ("an integer from 3", "2")),
        (changed("video_frame_count", 16.5), "video_frame_count", ("an integer", "16.5")),
        (changed("video_duration", "4 s"), "video_duration", ("a number", "the text '4 s'")),
        (changed("masklet", []), "masklet", ("a list of frames", "a list of 0 items")),
        (changed("masklet", 3), "masklet", ("a list", "3")),
        (lambda content: content["masklet"].__setitem__(1, 7), "masklet[1]", ("a list of 2 masks", "7")),
        (lambda content: content["masklet"][1].pop(), "masklet[1]", ("a list of 2 masks", "a list of 1 items")),
        (changed("masklet_id", [1, 1]), "masklet_id", ("one id a masklet", "a list of 2 items")),
        (changed("masklet_id", [1, "2"]), "masklet_id[1]", ("an integer", "'2'")),
        (changed("masklet_visibility_changes", [1]), "masklet_visibility_changes", ("2 items", "1 items")),
        (in_masklet(1, 0, None), "masklet[1][0]", ("size", "null")),
        (in_masklet(1, 0, {"size": [16, 24]}), "masklet[1][0]", ("counts", "['size']")),
        (in_masklet(1, 0, {"size": [16, 24], "counts": "0"}), "masklet[1][0]", ("384 (24 x 16)", "a sum of 0")),
        (
            in_masklet(2, 1, rle(box_mask(1, 1, 2, 2, width=16, height=24))),
            "masklet[2][1].size",
            ("[16, 24]", "[24, 16]"),
        ),
    ],
)
def test_a_wrong_field_is_named(tmp_path, change, field, words):
    content = json.loads(json.dumps(sav(ROWS)))
    change(content)
    write(tmp_path, {"sav_7_manual.json": content})
    told = refused(tmp_path, pictures_required=False)
    assert told.source.endswith("sav_7_manual.json")
    assert told.field == field
    assert words[0] in told.expected
    assert words[1] in told.found


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.json": sav(ROWS), "b.json": sav(ROWS)}, "is of the same video as a.json"),
        ({"a_auto.json": sav(ROWS[:2]), "a_manual.json": sav(ROWS)}, "masklet: differs from a_manual.json"),
        ({"a_auto.json": sav(ROWS, video_id="x"), "a_manual.json": sav(ROWS)}, "video_id: differs from a_manual.json"),
        ({"a.json": sav(ROWS), "x/1.jpg": b"", "y/2.jpg": b""}, "in more than one folder"),
        ({"a.json": sav(ROWS), "x/1.jpg": b"", "x/01.jpg": b""}, "two pictures numbered 1"),
        ({"annotations.json": {"annotations": []}, "a_auto.json": sav(ROWS)}, "holds exports of two kinds"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, files, words):
    assert words in str(refused(write(tmp_path, files), pictures_required=False))


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data with SA-V's files is not beside this checkout")
@pytest.mark.parametrize("kind", ["manual", "auto"])
def test_the_tracks_of_a_real_file_give_the_visibility_that_its_own_json_states(tmp_path, kind):
    shutil.copy(REAL / f"sav_000001_{kind}.json", tmp_path)
    content = json.loads((tmp_path / f"sav_000001_{kind}.json").read_text())
    parsed = parse(tmp_path, pictures_required=False)
    tracks = parsed.tracks
    assert len(parsed.frames) == 121
    assert [track.object_id for track in tracks] == content["masklet_id"]
    assert [track.visibility_changes for track in tracks] == content["masklet_visibility_changes"]
    assert [track.first_frame for track in tracks] == [4 * place for place in content["masklet_first_appeared_frame"]]
    assert not any("masks say" in note for note in parsed.metadata.notes)
    for place, row in list(enumerate(content["masklet"]))[::40]:
        for number, stored in enumerate(row):
            item = parsed.frames[place].objects[number]
            assert item.area == pycocotools.mask.area(stored)
            if item.visible:
                assert item.bbox == tuple(pycocotools.mask.toBbox(stored))
                assert item.mask.coco() == stored


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data with SA-V's files is not beside this checkout")
def test_both_real_files_are_one_video_of_fourteen_objects(tmp_path):
    for kind in ("manual", "auto"):
        shutil.copy(REAL / f"sav_000001_{kind}.json", tmp_path)
    parsed = parse(tmp_path, pictures_required=False)
    assert [track.object_id for track in parsed.tracks] == list(range(14))
    assert (parsed.metadata.total_frames, parsed.metadata.source_fps) == (483, 24.0)
    assert parsed.frames[-1].frame_index == 480
    assert "sav_000001 is annotated in every 4. of 483 frames at 24 a second." in parsed.metadata.notes
