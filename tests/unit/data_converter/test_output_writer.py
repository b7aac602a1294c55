"""One pass for all outputs: each picture is read once, and an error leaves no file under its final name."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from sam2vlm.annotations import Frame
from sam2vlm.artifacts import digest_of_file, files_below
from sam2vlm.data_converter.coco_writer import CocoWriter, category_names
from sam2vlm.data_converter.huggingface_converter import DatasetWriter, labels_of
from sam2vlm.data_converter.instructions import InstructionMix, LlavaBoxes
from sam2vlm.data_converter.llava_converter import LlavaWriter
from sam2vlm.data_converter.messages_writer import MessagesWriter
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.data_converter.picture_folder import PictureFolder
from sam2vlm.data_converter.sam2_parser import SAM2Parser
from sam2vlm.data_converter.yolo_writer import YoloWriter
from sam2vlm.errors import DataError

MIX = InstructionMix(per_frame=2)
LABELS = ["crab", "fish"]


@pytest.fixture
def splits(export, tmp_path):
    frames = SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames
    return {"train": frames[:1], "val": frames[1:2], "test": frames[2:]}


def all_writers(folder):
    pictures = folder / "llava" / "images"
    return {
        "dataset": DatasetWriter(folder / "dataset", LABELS),
        "pictures": PictureFolder(pictures),
        "llava": LlavaWriter(folder / "llava", mix=MIX),
        "coco": CocoWriter(folder / "coco", category_names(LABELS)),
        "messages": MessagesWriter(folder / "messages", pictures="../llava/images", boxes=LlavaBoxes()),
        "yolo": YoloWriter(folder / "yolo", category_names(LABELS), pictures=pictures),
    }


def counted(frames, reads):
    def reading(frame):
        def read():
            reads[frame.sample_id] += 1
            return frame.read_image()

        return replace(frame, read_image=read)

    return [reading(frame) for frame in frames]


def test_each_picture_is_read_once_for_all_outputs(splits, tmp_path):
    reads = Counter()
    asked, facts = write_outputs(
        {name: counted(frames, reads) for name, frames in splits.items()},
        all_writers(tmp_path / "out"),
        ask=MIX.for_frame,
    )
    assert list(reads.values()) == [1, 1, 1]
    assert {split: sum(tasks.values()) for split, tasks in asked.items()} == {"train": 2, "val": 2, "test": 2}
    assert list(facts) == ["dataset", "pictures", "llava", "coco", "messages", "yolo"]
    assert json.loads(json.dumps(facts)) == facts
    assert facts["pictures"]["pictures"] == 3
    assert facts["dataset"] == {"rows": {"train": 1, "val": 1, "test": 1}, "labels": LABELS}


def test_the_same_frames_give_the_same_bytes_and_name_no_folder(splits, tmp_path):
    digests = []
    for name in ("one", "two"):
        write_outputs(splits, all_writers(tmp_path / name), ask=MIX.for_frame)
        digests.append({file: digest_of_file(tmp_path / name / file) for file in files_below(tmp_path / name)})
    assert digests[0] == digests[1]
    for file in digests[0]:
        assert str(tmp_path).encode() not in (tmp_path / "one" / file).read_bytes()


def test_every_picture_that_is_named_is_there_and_is_stored_once(splits, tmp_path):
    write_outputs(splits, all_writers(tmp_path), ask=MIX.for_frame)
    for split, (frame,) in splits.items():
        line = json.loads((tmp_path / "llava" / f"{split}.jsonl").read_text().splitlines()[0])
        messages = json.loads((tmp_path / "messages" / f"{split}.jsonl").read_text().splitlines()[0])
        coco = json.loads((tmp_path / "coco" / f"{split}.json").read_text())
        name = coco["images"][0]["file_name"]
        found = [
            tmp_path / "llava" / line["image"],
            tmp_path / "messages" / messages["images"][0],
            tmp_path / "llava" / "images" / name,
            tmp_path / "yolo" / "images" / split / name,
        ]
        assert all(path.read_bytes() == frame.read_image() for path in found)
        assert len({path.stat().st_ino for path in found}) == 1
        assert (tmp_path / "yolo" / "labels" / split / name).with_suffix(".txt").is_file()


def test_where_there_are_no_links_pictures_are_copied(splits, tmp_path, monkeypatch):
    def refused(*_names):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    write_outputs(splits, all_writers(tmp_path), ask=MIX.for_frame)
    for frame in splits["train"]:
        assert (tmp_path / f"yolo/images/train/{frame.sample_id}.png").read_bytes() == frame.read_image()


def test_an_error_in_the_middle_leaves_no_document_under_its_name(splits, tmp_path):
    broken = replace(splits["val"][0], read_image=lambda: b"no picture")
    with pytest.raises(DataError, match="is no picture"):
        write_outputs({**splits, "val": [*splits["val"], broken]}, all_writers(tmp_path), ask=MIX.for_frame)
    for name in ("llava/val.jsonl", "coco/val.json", "messages/val.jsonl", "dataset/val/state.json"):
        assert (tmp_path / name.replace("val", "train")).is_file()
        assert not (tmp_path / name).exists()


def test_writers_are_closed_in_the_order_of_the_splits(splits):
    events = []

    class Recorder:
        @contextlib.contextmanager
        def split(self, split):
            events.append(f"open {split}")
            yield lambda sample: events.append(sample.frame.frame_index)
            events.append(f"close {split}")

        def finish(self):
            events.append("finish")
            return {}

    write_outputs(splits, {"recorder": Recorder()}, ask=lambda _frame: [])
    assert events == [
        "open train", 0, "close train", "open val", 6, "close val", "open test", 12, "close test", "finish"
    ]  # fmt: skip


def test_an_empty_split_and_a_frame_without_a_picture_are_refused(splits):
    with pytest.raises(DataError, match="the test split is empty"):
        write_outputs({**splits, "test": []}, {}, ask=MIX.for_frame)
    with pytest.raises(DataError, match="has no picture"):
        write_outputs({"train": [Frame("v", 0, 0.0, 8, 8, ())]}, {}, ask=MIX.for_frame)


def test_labels_and_names_of_objects_without_a_label(splits):
    frame = splits["train"][0]
    bare = replace(frame, objects=(replace(frame.objects[0], label=""), frame.objects[1]))
    assert labels_of([frame]) == ["crab", "fish"]
    assert labels_of([bare]) == ["", "crab"]
    assert category_names(labels_of([bare])) == ["crab", "object"]


def test_an_object_without_a_label_has_no_number_and_a_name_where_one_is_needed(splits, tmp_path):
    from datasets import load_from_disk

    frame = splits["train"][0]
    bare = replace(frame, objects=tuple(replace(item, label="") for item in frame.objects))
    writers = {
        "dataset": DatasetWriter(tmp_path / "dataset", []),
        "coco": CocoWriter(tmp_path / "coco", category_names([""])),
    }
    write_outputs({"train": [bare]}, writers, ask=lambda _frame: [])
    row = load_from_disk(str(tmp_path / "dataset"))["train"][0]
    assert [(item["label"], item["label_id"]) for item in row["objects"]] == [("", None), ("", None)]
    coco = json.loads((tmp_path / "coco" / "train.json").read_text())
    assert coco["categories"] == [{"id": 1, "name": "object", "supercategory": "object"}]


def test_a_picture_gets_the_extension_of_its_bytes(splits, tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (96, 64)).save(stream, "JPEG")
    frame = replace(splits["train"][0], read_image=stream.getvalue)
    write_outputs({"train": [frame]}, {"pictures": PictureFolder(tmp_path)}, ask=lambda _frame: [])
    assert (tmp_path / f"{frame.sample_id}.jpg").read_bytes() == stream.getvalue()


@pytest.mark.parametrize("name", ["..", "../../etc", "/etc", "a//b", "a\\b", "C:x", "", "x" * 300, "a\0b"])
def test_a_video_id_that_is_no_folder_is_refused(splits, tmp_path, name):
    frame = replace(splits["train"][0], video_id=name)
    with pytest.raises(DataError, match="is no name for a folder"):
        write_outputs({"train": [frame]}, {"pictures": PictureFolder(tmp_path / "in")}, ask=lambda _frame: [])
    assert not (tmp_path / "in").exists()
