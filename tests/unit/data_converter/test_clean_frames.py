"""An export's frames from its source video: pictures, times, sizes and negatives, and the wrong video refused."""

import json
import pickle

import numpy as np
import pytest

from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.data_converter import ParsedExport, SAM2Parser
from sam2vlm.data_converter.clean_frames import with_clean_frames
from sam2vlm.errors import DataError
from sam2vlm.sample import write_sample
from tests.videos import decoded, number_of, numbered, pictures_of_sample, rezipped, write_video

SAMPLE = {"frames": 12, "objects": 3, "width": 128, "height": 96, "seed": 3}


def read(path):
    reading = SAM2Parser(pictures_required=False).read(path)
    frames = FrameStore(reading.frames(), read_image=reading.read_picture)
    return ParsedExport(frames=frames, metadata=reading.metadata, dropped=reading.dropped)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def painted(folder):
    """Twelve painted frames; the exporter says 30 frames a second where there are 24."""
    write_sample(folder / "painted.zip", **SAMPLE, defects=["painted-overlay", "constant-fps"], workers=1)
    return read(folder / "painted.zip")


@pytest.fixture(scope="module")
def video(folder):
    return write_video(folder / "source.mp4", pictures_of_sample(**SAMPLE, real_fps=24.0))


@pytest.fixture(scope="module")
def clean(painted, video, folder):
    return with_clean_frames(painted, {painted.metadata.video_id: video}, folder / "frames")


def test_pictures_are_the_videos_own(clean, folder):
    write_sample(folder / "clean.zip", **SAMPLE, defects=["constant-fps"], workers=1)
    originals = {frame.frame_index: frame for frame in read(folder / "clean.zip").frames}
    for frame in clean.frames:
        if originals[frame.frame_index].read_image is not None:
            ours, theirs = decoded(frame.read_image()), decoded(originals[frame.frame_index].read_image())
            assert np.abs(ours.astype(int) - theirs).mean() < 5  # what the encoder does
        assert frame.image_name == f"{frame.sample_id}.png"


def test_times_and_rate_are_the_videos_own_and_a_note_says_so(painted, clean):
    assert [frame.timestamp_sec for frame in clean.frames] == pytest.approx([6 * n / 24 for n in range(12)])
    assert (painted.metadata.source_fps, clean.metadata.source_fps) == (30, 24)
    assert (clean.metadata.total_frames, clean.metadata.duration_sec) == (72, pytest.approx(3.0))
    assert (
        "The source video has 24 frames a second, the export says 30; 11 timestamps changed, by up to 0.550 s."
        in clean.metadata.notes
    )


def test_annotations_stay_as_they_are(painted, clean):
    for before, after in zip(painted.frames, clean.frames, strict=True):
        assert (after.sample_id, after.objects) == (before.sample_id, before.objects)


def test_pictures_can_be_read_in_another_process(clean):
    frame = clean.frames[3]
    assert pickle.loads(pickle.dumps(frame)).read_image() == frame.read_image()


def test_every_frame_is_decoded_once_and_written_once(clean, folder):
    assert sorted(path.name for path in (folder / "frames" / "000000").iterdir()) == [
        f"{6 * n:06d}.png" for n in range(12)
    ]


def test_frames_without_objects_come_in_also_those_the_exporter_wrote_no_picture_of(tmp_path):
    quiet = {**SAMPLE, "frames": 60}
    write_sample(tmp_path / "quiet.zip", **quiet, defects=["frames-without-image"], workers=1)
    export = read(tmp_path / "quiet.zip")
    missing = [frame.frame_index for frame in export.frames if frame.read_image is None]
    assert missing
    video = write_video(tmp_path / "v.mp4", pictures_of_sample(**quiet, quiet=True), fps=30)
    clean = with_clean_frames(export, {export.metadata.video_id: video}, tmp_path / "frames")
    assert len(clean.frames) == 60
    assert all(frame.read_image() for frame in clean.frames)
    assert [f.frame_index for f in clean.frames if not f.visible_objects] == missing
    assert clean.dropped == {}
    sentence = f"{len(missing)} frames without objects, for which the exporter wrote no picture, came in as negative"
    assert any(note.startswith(sentence) for note in clean.metadata.notes)


def test_a_swallowed_frame_is_no_negative_example(tmp_path, video):
    write_sample(tmp_path / "a.zip", **SAMPLE, defects=["swallowed-errors", "constant-fps"], workers=1)
    export = read(tmp_path / "a.zip")
    clean = with_clean_frames(export, {export.metadata.video_id: video}, tmp_path / "frames")
    assert [f.frame_index for f in clean.frames] == [f.frame_index for f in export.frames]
    assert len(clean.frames) < 12


def test_a_larger_video_of_the_same_shape_gives_its_own_size_and_boxes(painted, tmp_path):
    pictures = pictures_of_sample(**{**SAMPLE, "width": 256, "height": 192}, real_fps=24.0)
    video = write_video(tmp_path / "large.mp4", pictures)
    clean = with_clean_frames(painted, {painted.metadata.video_id: video}, tmp_path / "frames")
    assert (clean.metadata.width, clean.metadata.height) == (256, 192)
    for before, after in zip(painted.frames, clean.frames, strict=True):
        assert (after.width, after.height) == (256, 192)
        assert decoded(after.read_image()).shape == (192, 256, 3)
        for small, large in zip(before.visible_objects, after.visible_objects, strict=True):
            assert large.bbox == pytest.approx([2 * side for side in small.bbox])
            assert large.area == pytest.approx(4 * small.area)
            assert large.mask == small.mask
    assert any(
        "The source video is 256 x 192, the export's frames are 128 x 96" in note for note in clean.metadata.notes
    )


def refused(export, video, folder):
    with pytest.raises(DataError) as caught:
        with_clean_frames(export, {export.metadata.video_id: video}, folder / "frames")
    return str(caught.value)


def test_another_shape_is_another_video(painted, tmp_path):
    video = write_video(tmp_path / "tall.mp4", (numbered(n, 96, 128) for n in range(72)))
    assert refused(painted, video, tmp_path) == (
        f"{video}: has another shape than the export's frame 0; is it the video that was segmented? "
        "(expected the shape of 128 x 96; found 96 x 128)"
    )


def test_another_scene_is_another_video(painted, tmp_path):
    video = write_video(tmp_path / "other.mp4", pictures_of_sample(**{**SAMPLE, "seed": 8}, real_fps=24.0))
    said = refused(painted, video, tmp_path)
    assert said.startswith(f"{video}: does not show what the export's pictures show, for example at frame ")


def test_a_short_video_is_an_error_and_one_of_another_length_a_note(painted, tmp_path):
    pictures = list(pictures_of_sample(**SAMPLE, real_fps=24.0))
    short = write_video(tmp_path / "short.mp4", pictures[:60])
    assert refused(painted, short, tmp_path) == (
        f"{short}: is shorter than the annotations: there is no frame 60 (expected at least 67 frames; found 60)"
    )
    cut = write_video(tmp_path / "cut.mp4", pictures[:67])
    clean = with_clean_frames(painted, {painted.metadata.video_id: cut}, tmp_path / "frames")
    assert any("The source video has 67 frames, the export says 72" in note for note in clean.metadata.notes)


def test_sav_frames_are_every_fourth_of_the_video(tmp_path):
    """SA-V: one mask every fourth frame of a video of 24 a second; the JSON has no pictures at all."""
    present, absent = {"size": [64, 96], "counts": "hR1`0P1"}, {"size": [64, 96], "counts": "PP6"}
    from pycocotools import mask as coco

    box = np.zeros((64, 96), np.uint8, order="F")
    box[10:30, 20:50] = 1
    present["counts"] = coco.encode(box)["counts"].decode()
    absent["counts"] = coco.encode(np.zeros((64, 96), np.uint8, order="F"))["counts"].decode()
    document = {
        "video_id": "sav_000042",
        "video_duration": 20 / 24,
        "video_frame_count": 20,
        "video_height": 64,
        "video_width": 96,
        "video_resolution": 64 * 96,
        "masklet": [[present], [absent], [present], [present], [absent]],
        "masklet_id": [0],
        "masklet_num": 1,
        "masklet_frame_count": [5],
        "masklet_first_appeared_frame": [0],
        "masklet_visibility_changes": [3],
        "masklet_type": ["manual"],
    }
    (tmp_path / "sav_000042_manual.json").write_text(json.dumps(document))
    video = write_video(tmp_path / "sav_000042.mp4", map(numbered, range(20)))
    export = read(tmp_path / "sav_000042_manual.json")
    clean = with_clean_frames(export, {"sav_000042": video}, tmp_path / "frames")
    assert [f.frame_index for f in clean.frames] == [0, 4, 8, 12, 16]
    assert [number_of(decoded(f.read_image())) for f in clean.frames] == [0, 4, 8, 12, 16]
    assert [f.timestamp_sec for f in clean.frames] == pytest.approx([0, 4 / 24, 8 / 24, 12 / 24, 16 / 24])
    assert [bool(f.visible_objects) for f in clean.frames] == [True, False, True, True, False]


def test_a_frame_that_needs_a_picture_and_whose_video_is_not_given(tmp_path):
    write_sample(tmp_path / "a.zip", **SAMPLE, workers=1)
    path = rezipped(tmp_path / "a.zip", tmp_path / "b.zip", lambda n, c: None if n.endswith("000006.png") else c)
    with pytest.raises(DataError, match="has no picture of frame 6, and its video is not given"):
        with_clean_frames(read(path), {}, tmp_path / "frames")
