"""What came, what changed, what was there, and that no frame changes its split."""

import numpy as np
import pytest
from pycocotools import mask as coco

from sam2vlm.annotations import Frame, Mask, ObjectAnnotation
from sam2vlm.annotations.frame_store import FrameStore
from sam2vlm.artifacts import Counts, Manifest, records_of, write_json
from sam2vlm.data_converter.dataset_versions import (
    ALREADY_THERE,
    BETWEEN_SPLITS,
    REPLACED,
    extend_dataset,
)
from sam2vlm.data_converter.earlier_dataset import EarlierDataset, find_earlier, open_earlier
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.instructions import InstructionMix
from sam2vlm.data_converter.video_frames import picture_bytes
from sam2vlm.errors import DataError

WIDTH, HEIGHT = 24, 16


def mask(x):
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[4:10, x : x + 6] = 1
    return Mask(HEIGHT, WIDTH, coco.encode(pixels)["counts"].decode())


def frame(video, index, *, x=3, label="fish", shade=None, time=None):
    """A frame whose picture tells video and index, but where a shade is given."""
    seed = sum(map(ord, video)) * 1000 + index if shade is None else shade
    picture = picture_bytes(np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    item = ObjectAnnotation(1, label, mask(x), (x, 4, 6, 6), 36.0, confidence=0.9)
    return Frame(
        video, index, index / 30 if time is None else time, WIDTH, HEIGHT, (item,), f"{index}.png", lambda: picture
    )


SPLITS = {index: "train" if index < 60 else "val" if index < 90 else "test" for index in range(0, 120, 6)}


@pytest.fixture
def earlier():
    """One video: train to frame 54, val to 84, test from 90 on; frames 36 and 60 were left out."""
    indices = [index for index in SPLITS if index not in (36, 60)]
    frames = [frame("v", index) for index in indices]
    pictures = {item.image_name: item.read_image for item in frames}
    manifest = Manifest(
        phase="prepare",
        fingerprint="f",
        inputs={},
        outputs={},
        settings={},
        seed=1,
        versions={},
        counts=Counts(seen=18, kept=18),
    )
    store = FrameStore(frames, read_image=lambda name: pictures[name]())
    return EarlierDataset("d" * 64, manifest, store, tuple(SPLITS[index] for index in indices))


def split_of(version):
    return {version.frames[row].sample_id: split for split, rows in version.splits.items() for row in rows}


def test_the_same_again_is_already_there(earlier):
    version = extend_dataset(earlier, [frame("v", 0), frame("v", 90)])
    assert version.changes.counts() == {"came": 0, "changed": 0, "changed_in": {}, "already_there": 2, "kept": 18}
    assert {reason: len(rows) for reason, rows in version.dropped.items()} == {ALREADY_THERE: 2}
    assert split_of(version) == {
        item.sample_id: split for item, split in zip(earlier.frames, earlier.splits, strict=True)
    }


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (frame("v", 66, x=9), ("annotation",)),
        (frame("v", 66, label="eel"), ("annotation",)),
        (frame("v", 66, shade=1), ("picture",)),
        (frame("v", 66, time=2.75), ("time",)),
        (frame("v", 66, x=9, shade=1, time=1.0), ("picture", "annotation", "time")),
    ],
)
def test_a_changed_frame_takes_the_place_and_the_split_of_the_earlier_one(earlier, changed, what):
    version = extend_dataset(earlier, [changed])
    assert version.changes.changed == {"v/000066": ("v/000066", what)}
    assert split_of(version)["v/000066"] == "val"
    assert [version.frames[row].frame_index for row in version.dropped[REPLACED]] == [66]
    kept = [version.frames[row] for rows in version.splits.values() for row in rows]
    assert [item for item in kept if item.frame_index == 66] == [changed]
    assert len(kept) == 18


def test_a_new_frame_of_a_known_video_goes_where_its_neighbours_are_or_nowhere(earlier):
    new = [frame("v", index) for index in (3, 36, 57, 60, 63, 87, 117, 150)]
    version = extend_dataset(earlier, new)
    found = split_of(version)
    assert {index: found.get(f"v/{index:06d}") for index in (3, 36, 57, 60, 63, 87, 117, 150)} == {
        3: "train",
        36: "train",
        57: None,  # 54 is train, 66 is val
        60: None,
        63: None,
        87: None,
        117: "test",
        150: "test",
    }
    assert {reason: len(rows) for reason, rows in version.dropped.items()} == {BETWEEN_SPLITS: 4}
    assert version.changes.came == {"v/000003": "train", "v/000036": "train", "v/000117": "test", "v/000150": "test"}


def test_a_re_export_under_another_id_is_known_by_its_pictures(earlier):
    shades = {index: sum(map(ord, "v")) * 1000 + index for index in SPLITS}
    again = [frame("w", index, shade=shades[index]) for index in (66, 72)]
    fixed = frame("w", 78, shade=shades[78], label="eel")
    between = frame("w", 69)
    version = extend_dataset(earlier, [*again, fixed, between])
    assert version.changes.known_videos == {"w": "v"}
    assert version.changes.already_there == {"w/000066": "v/000066", "w/000072": "v/000072"}
    assert version.changes.changed == {"w/000078": ("v/000078", ("annotation",))}
    found = split_of(version)
    assert (found["w/000078"], found["w/000069"]) == ("val", "val")


def test_an_equal_first_picture_makes_no_known_video(earlier):
    black = sum(map(ord, "v")) * 1000
    new = [frame("w", 0, shade=black), *(frame("w", index) for index in (6, 12, 18, 24))]
    version = extend_dataset(earlier, new)
    assert version.changes.known_videos == {}
    assert [version.frames[row].sample_id for row in version.undecided] == [item.sample_id for item in new]
    assert version.changes.counts()["came"] == 5


def test_nothing_is_lost_or_counted_twice(earlier):
    new = [frame("v", index, x=9 if index == 12 else 3) for index in range(0, 160, 3)] + [frame("n", 0), frame("n", 6)]
    version = extend_dataset(earlier, new)
    placed = [row for rows in (*version.splits.values(), *version.dropped.values(), version.undecided) for row in rows]
    assert sorted(placed) == list(range(18 + len(new)))


@pytest.fixture
def folder(tmp_path):
    """A prepare folder with a dataset and its manifest, as prepare leaves it."""
    home = tmp_path / "run" / "prepare"
    splits = {
        "train": [frame("b", 0), frame("a", 6), frame("a", 0)],
        "val": [frame("a", 12, label="")],
        "test": [frame("a", 18)],
    }
    write_dataset_dict(splits, home / "dataset", mix=InstructionMix())
    manifest = Manifest(
        phase="prepare",
        fingerprint="f",
        inputs={},
        outputs=records_of(home, exclude=("manifest.json",)),
        settings={},
        seed=1,
        versions={},
        counts=Counts(seen=5, kept=5),
    )
    write_json(home / "manifest.json", manifest.model_dump(mode="json"))
    return home


def test_an_earlier_dataset_comes_back_as_it_was_written(folder):
    assert find_earlier(folder.parent) == find_earlier(folder) == folder
    earlier = open_earlier(folder)
    assert [(item.sample_id, split) for item, split in zip(earlier.frames, earlier.splits, strict=True)] == [
        ("a/000000", "train"),
        ("a/000006", "train"),
        ("a/000012", "val"),
        ("a/000018", "test"),
        ("b/000000", "train"),
    ]
    for found in earlier.frames:
        written = frame(found.video_id, found.frame_index, label="" if found.frame_index == 12 else "fish")
        assert found.objects == written.objects
        assert (found.timestamp_sec, found.width, found.height) == (written.timestamp_sec, WIDTH, HEIGHT)
        assert found.read_image() == written.read_image()


def test_what_is_no_earlier_dataset(folder, tmp_path):
    with pytest.raises(DataError, match="holds no prepared dataset"):
        find_earlier(tmp_path / "nothing")
    with pytest.raises(DataError, match="holds no prepared dataset"):
        find_earlier(folder / "dataset")
    shard = next((folder / "dataset" / "train").glob("*.arrow"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DataError, match="changed since the phase finished"):
        open_earlier(folder)
