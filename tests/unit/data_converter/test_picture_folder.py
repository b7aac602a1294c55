"""Pictures that are stored while they are looked at are the same files, and are neither read nor written again."""

from collections import Counter
from dataclasses import replace

import pytest

from sam2vlm.artifacts import WrittenFiles, digest_of_file, files_below
from sam2vlm.data_converter.coco_writer import CocoWriter, category_names
from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes
from sam2vlm.data_converter.llava_converter import LlavaWriter
from sam2vlm.data_converter.messages_writer import MessagesWriter
from sam2vlm.data_converter.output_writer import finished, write_outputs, write_split
from sam2vlm.data_converter.picture_folder import PictureFolder, StoredPictures
from sam2vlm.data_converter.sam2_parser import SAM2Parser
from sam2vlm.data_converter.yolo_writer import YoloWriter
from sam2vlm.errors import DataError
from sam2vlm.validation import scan_pictures

MIX = InstructionMix(per_frame=2)
LABELS = ["crab", "fish"]


@pytest.fixture
def frames(export, tmp_path):
    return SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames


def naming_writers(folder, stored=None, files=None):
    """Return the writers of everything that names pictures."""
    pictures = folder / "llava" / "images"
    return {
        "pictures": PictureFolder(pictures, stored=stored, files=files),
        "llava": LlavaWriter(folder / "llava", mix=MIX),
        "coco": CocoWriter(folder / "coco", category_names(LABELS)),
        "messages": MessagesWriter(folder / "messages", pictures="../llava/images", boxes=LlavaBoxes()),
        "yolo": YoloWriter(folder / "yolo", category_names(LABELS), pictures=pictures),
    }


def written_by_name(splits, writers, stored):
    asked = {
        split: write_split(split, frames, writers.values(), ask=MIX.for_frame, named=stored.name_of)
        for split, frames in splits.items()
    }
    return asked, finished(writers)


def counted(frame, reads):
    def read():
        reads[frame.sample_id] += 1
        return frame.read_image()

    return replace(frame, read_image=read)


def stored_by_a_scan(frames, folder, *, workers=1):
    stored = StoredPictures(folder)
    scan_pictures(frames, workers=workers, decode=False, keeper=stored)
    return stored


@pytest.mark.parametrize("workers", [1, 2])
def test_outputs_are_those_of_pictures_that_are_written_last(frames, tmp_path, workers):
    many = [replace(frame, frame_index=frame.frame_index + 100 * turn) for turn in range(30) for frame in frames]
    splits, reads = {"train": many[:-20], "val": many[-20:]}, Counter()
    expected = write_outputs(splits, naming_writers(tmp_path / "one"), ask=MIX.for_frame)
    stored = stored_by_a_scan(many, tmp_path / "two" / "llava" / "images", workers=workers)
    before = {path: path.stat().st_mtime_ns for path in stored.folder.rglob("*.png")}
    assert len(before) == len(many)
    files = WrittenFiles()
    found = written_by_name(
        {split: [counted(frame, reads) for frame in frames] for split, frames in splits.items()},
        naming_writers(tmp_path / "two", stored, files),
        stored,
    )
    assert found == expected
    assert not reads
    assert {path: path.stat().st_mtime_ns for path in stored.folder.rglob("*.png")} == before
    one, two = (
        {name: digest_of_file(root / name) for name in files_below(root)}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert all(
        stored.files.get(path) == (two[str(path.relative_to(tmp_path / "two"))], path.stat().st_size) for path in before
    )
    assert all(files.get(path) is None for path in before)


def test_what_is_not_stored_is_read_and_written(frames, tmp_path):
    stored, reads, files = stored_by_a_scan(frames[:1], tmp_path / "llava" / "images"), Counter(), WrittenFiles()
    written_by_name(
        {"train": [counted(frame, reads) for frame in frames]}, naming_writers(tmp_path, stored, files), stored
    )
    assert reads == {frame.sample_id: 1 for frame in frames[1:]}
    for frame in frames:
        path = stored.folder / f"{frame.sample_id}.png"
        assert path.read_bytes() == frame.read_image()
        assert (files.get(path) is None) == (frame is frames[0])


def test_pictures_of_frames_that_are_not_used_are_deleted(frames, tmp_path):
    stored = stored_by_a_scan(frames, tmp_path)
    stored.discard([frames[1], replace(frames[1], frame_index=999)])
    assert [path.name for path in sorted(tmp_path.rglob("*.png"))] == ["000000.png", "000012.png"]
    assert [stored.name_of(frame) is None for frame in frames] == [False, True, False]


def test_what_is_no_picture_is_left_to_who_refuses_it(frames, tmp_path):
    broken = replace(frames[0], read_image=lambda: b"no picture")
    stored = stored_by_a_scan([broken, replace(frames[1], read_image=None), frames[2]], tmp_path / "pictures")
    assert [stored.name_of(frame) for frame in frames] == [None, None, f"{frames[2].sample_id}.png"]
    with pytest.raises(DataError, match="is no picture"):
        written_by_name({"train": [broken]}, {"pictures": PictureFolder(tmp_path / "pictures", stored=stored)}, stored)


def test_a_video_id_that_leads_out_is_refused_before_anything_is_written(frames, tmp_path):
    with pytest.raises(DataError, match="is no name for a folder"):
        stored_by_a_scan([replace(frames[0], video_id="../out")], tmp_path / "in")
    assert not list(tmp_path.glob("**/*.png"))
