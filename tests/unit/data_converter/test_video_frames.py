"""The n-th frame of a real video, with its true time, whatever the container thinks of rates."""

import numpy as np
import pytest

from sam2vlm.data_converter.video_frames import decode_frames, picture_bytes, probe_video
from sam2vlm.errors import DataError
from tests.videos import decoded, number_of, numbered, write_video

FRAMES = 30


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Thirty numbered frames at 24 a second, with B-frames, so that they are stored in another order."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    return write_video(path, map(numbered, range(FRAMES)))


@pytest.mark.parametrize("wanted", [[0], [29], [0, 6, 12, 18], range(FRAMES), [7, 3, 3]])
def test_frames_come_by_their_index_in_order_each_once(video, wanted):
    found = list(decode_frames(video, wanted))
    assert [frame.index for frame in found] == sorted(set(wanted))
    assert [number_of(frame.pixels) for frame in found] == sorted(set(wanted))
    assert [frame.timestamp_sec for frame in found] == pytest.approx([index / 24 for index in sorted(set(wanted))])


def test_what_a_video_says_about_itself(video):
    facts = probe_video(video)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (96, 64, FRAMES, 24.0)
    assert facts.duration_sec == pytest.approx(FRAMES / 24)
    assert not facts.variable


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx-vp9")])
def test_other_containers_and_codecs(tmp_path, name, codec):
    path = write_video(tmp_path / name, map(numbered, range(12)), codec=codec)
    assert [number_of(frame.pixels) for frame in decode_frames(path, range(12))] == list(range(12))
    facts = probe_video(path)
    assert (facts.frames, facts.variable) == (12, False)
    assert facts.fps == pytest.approx(24, abs=0.1)


def test_rates_like_ntsc_are_kept(tmp_path):
    facts = probe_video(write_video(tmp_path / "a.mp4", map(numbered, range(6)), fps=30000 / 1001))
    assert facts.fps == pytest.approx(29.97003, abs=1e-5)
    assert not facts.variable


def test_a_variable_rate_gives_each_frame_its_own_time(tmp_path):
    times = [index * index * 10 for index in range(12)]
    path = write_video(tmp_path / "a.mp4", map(numbered, range(12)), times_ms=times)
    assert probe_video(path).variable
    found = list(decode_frames(path, range(12)))
    assert [number_of(frame.pixels) for frame in found] == list(range(12))
    assert [frame.timestamp_sec for frame in found] == pytest.approx([time / 1000 for time in times], abs=1e-3)


def test_a_phones_rotation_is_applied(video, tmp_path):
    upright = bytes.fromhex("00010000 00000000 00000000 00000000 00010000".replace(" ", ""))
    clockwise = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000".replace(" ", ""))
    head, track, rest = video.read_bytes().split(upright)
    path = tmp_path / "phone.mp4"
    path.write_bytes(head + upright + track + clockwise + rest)
    facts = probe_video(path)
    assert (facts.width, facts.height) == (64, 96)
    (found,) = decode_frames(path, (4,))
    # The upper half is blue; a quarter turn clockwise brings it to the right.
    assert found.pixels.shape == (96, 64, 3)
    assert found.pixels[:, 36:, 2].min() > 150
    assert found.pixels[:, :28, 2].max() < 100


def test_equal_videos_give_equal_bytes(video):
    first, second = ([picture_bytes(frame.pixels) for frame in decode_frames(video, (3, 4))] for _ in range(2))
    assert first == second


def test_a_picture_loses_nothing():
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert np.array_equal(decoded(picture_bytes(pixels)), pixels)


def test_a_video_that_is_too_short_names_the_first_missing_frame(video):
    with pytest.raises(DataError) as caught:
        list(decode_frames(video, (0, 30, 40)))
    assert "there is no frame 30 (expected at least 41 frames; found 30)" in str(caught.value)


def truncated(content):
    return content[: len(content) // 2]


def damaged(content):
    middle = len(content) // 3
    return content[:middle] + bytes(200) + content[middle + 200 :]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (truncated, "is no video that can be read, or a damaged one"),
        (lambda _: b"no video at all" * 100, "is no video that can be read, or a damaged one"),
        (lambda _: b"", "is no video that can be read, or a damaged one"),
        # A list of other files is no video, whatever the library would make of it.
        (lambda _: b"#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n", "is no video that can be read"),
        (lambda _: b"ffconcat version 1.0\nfile clip.mp4\n", "is no video that can be read"),
    ],
)
def test_what_is_no_video(video, tmp_path, make, sentence):
    (tmp_path / "clip.mp4").write_bytes(video.read_bytes())
    path = tmp_path / "bad.mp4"
    path.write_bytes(make(video.read_bytes()))
    with pytest.raises(DataError) as caught:
        probe_video(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_a_damaged_frame_is_refused_and_not_mended(video, tmp_path):
    path = tmp_path / "bad.mp4"
    path.write_bytes(damaged(video.read_bytes()))
    with pytest.raises(DataError) as caught:
        list(decode_frames(path, range(FRAMES)))
    assert str(caught.value).startswith(str(path))


def test_a_missing_video_and_a_folder(tmp_path):
    for path, found in ((tmp_path / "none.mp4", "nothing"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match=f"is not there \\(expected a video; found {found}\\)"):
            probe_video(path)


def test_sound_alone_is_no_video(tmp_path):
    import av

    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="holds no pictures"):
        probe_video(path)
