"""Source videos that are none, that are cut off, or that are not the one that was segmented."""

from __future__ import annotations

import numpy as np

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import HEIGHT, WIDTH, good, picture
from tests.videos import write_video

ROWS = Rows("source videos")
NAME = "source.mp4"
LAST_INDEX = 42


def grey(count, width=WIDTH, height=HEIGHT):
    return [np.full((height, width, 3), 5 * number % 256, np.uint8) for number in range(count)]


def noise(count):
    """Another scene: blocks of random brightness that stay where they are."""
    blocks = np.random.default_rng(3).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 1), dtype=np.uint8)
    return [np.repeat(np.kron(blocks, np.ones((8, 8, 1), np.uint8)), 3, axis=2)] * count


def beside(make_video):
    """A maker: the good export and a video beside it; the maker gets the video's path."""

    def make(folder):
        make_video(folder / NAME)
        return good().zip(folder)

    return make


def of_bytes(content):
    return beside(lambda path: path.write_bytes(content))


def cut_off(path):
    write_video(path, grey(LAST_INDEX + 1))
    path.write_bytes(path.read_bytes()[:600])


def refused(name, broken, make, expected, found):
    ROWS.refused(name, broken, make, NAME, expected, found, VIDEO="{folder}/" + NAME)


refused("video-missing", "the video is not there", beside(lambda path: None), "a video", "nothing")
refused("video-without-bytes", "the video has no bytes", of_bytes(b""), "a video", "")
refused("video-is-text", "the video is a text", of_bytes(b"see attachment\n" * 50), "a video", "")
refused("video-is-a-picture", "the video is a picture", of_bytes(picture()), "a video", "")
refused(
    "video-is-a-playlist",
    "the video is a list of other places",
    of_bytes(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    "a video",
    "",
)
refused("video-is-a-folder", "the video is a folder", beside(lambda path: path.mkdir()), "a video", "")
refused("video-cut-off", "the video was cut off", beside(cut_off), "a video", "")
refused(
    "video-too-short",
    "the video has fewer frames than were segmented",
    beside(lambda path: write_video(path, grey(30))),
    "at least 43 frames",
    "30",
)
refused(
    "video-of-another-shape",
    "the video has another shape",
    beside(lambda path: write_video(path, grey(50, 64, 64))),
    "the shape of 64 x 48",
    "64 x 64",
)
for name, scene in (("video-of-another-scene", noise), ("video-of-no-scene", grey)):
    refused(
        name,
        "the video shows something else" if scene is noise else "the video shows one even tone",
        beside(lambda path, scene=scene: write_video(path, scene(50))),
        "the same scene outside of the objects",
        "another one in",
    )
