"""COCO instances: pycocotools opens them, and the truth compared with itself is perfect."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sam2vlm.annotations import Frame, Mask
from sam2vlm.annotations.coco_rle import decode_mask
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.coco_writer import CocoWriter, category_names
from sam2vlm.data_converter.huggingface_converter import labels_of
from sam2vlm.data_converter.instructions import Instruction
from sam2vlm.data_converter.instructions.general_data import GeneralFrame
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.sample import write_sample

SIZE = (128, 96)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "export.zip"
    write_sample(path, frames=30, objects=4, width=SIZE[0], height=SIZE[1], seed=11)
    return list(SAM2Parser().parse_zip(path).frames)


@pytest.fixture(scope="module")
def written(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    splits = {"train": frames[:20], "val": frames[20:25], "test": frames[25:]}
    writer = CocoWriter(folder, category_names(labels_of(frames)))
    _asked, facts = write_outputs(splits, {"coco": writer}, ask=lambda _frame: [])
    return folder, splits, facts["coco"]


def opened(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_the_truth_compared_with_itself_is_perfect(written, kind):
    truth = opened(written[0] / "train.json")
    with contextlib.redirect_stdout(io.StringIO()):
        results = truth.loadRes([{**item, "score": 1.0} for item in truth.dataset["annotations"]])
        evaluation = COCOeval(truth, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0, abs=1e-9)


def test_masks_lie_on_the_picture_and_fill_their_boxes(written):
    truth = opened(written[0] / "train.json")
    for item in truth.dataset["annotations"]:
        pixels = decode_mask(Mask(*item["segmentation"]["size"], item["segmentation"]["counts"]))
        assert pixels.shape == SIZE[::-1]
        x, y, w, h = item["bbox"]
        rows, columns = np.nonzero(pixels)
        drawn = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        # The box is the mask's on its own grid; on the picture's it is off by the rounding of an edge.
        assert np.abs(np.subtract(drawn, (x, y, x + w, y + h))).max() <= 1


def test_every_visible_object_is_there_with_whole_numbers_that_nobody_shares(written, frames):
    folder, splits, facts = written
    documents = {split: json.loads((folder / f"{split}.json").read_text()) for split in splits}
    images = [image["id"] for document in documents.values() for image in document["images"]]
    annotations = [item["id"] for document in documents.values() for item in document["annotations"]]
    assert images == list(range(1, len(frames) + 1))
    assert annotations == list(range(1, sum(len(frame.visible_objects) for frame in frames) + 1))
    for split, document in documents.items():
        names = {category["id"]: category["name"] for category in document["categories"]}
        assert list(names) == list(range(1, len(names) + 1))
        assert sorted(names.values()) == labels_of(frames)
        assert facts["images"][split] == len(document["images"]) == len(splits[split])
        by_id = {image["id"]: image["sample_id"] for image in document["images"]}
        found = Counter((by_id[item["image_id"]], names[item["category_id"]]) for item in document["annotations"])
        assert found == Counter(
            (frame.sample_id, item.label) for frame in splits[split] for item in frame.visible_objects
        )
        assert {item["iscrowd"] for item in document["annotations"]} == {0}
        assert all(image["file_name"] == f"{image['sample_id']}.png" for image in document["images"])


def test_a_track_keeps_its_number_through_all_splits(written):
    folder, splits, facts = written
    numbers = {}
    for split in splits:
        document = json.loads((folder / f"{split}.json").read_text())
        videos = {image["id"]: image["video_id"] for image in document["images"]}
        for item in document["annotations"]:
            track = (videos[item["image_id"]], item["object_id"])
            assert numbers.setdefault(track, item["track_id"]) == item["track_id"]
    assert sorted(numbers.values()) == list(range(1, facts["tracks"] + 1))


def test_frames_without_objects_are_images_without_annotations_and_general_pictures_are_none(frames, tmp_path):
    picture = frames[0].read_image
    negative = Frame("v", 0, 0.0, *SIZE, (), "0.png", picture)
    general = GeneralFrame("g", 0, 0.0, *SIZE, (), "1.png", picture, instruction=Instruction("general", "?", "en", "!"))
    splits = {"train": [negative, general, negative]}
    write_outputs(splits, {"coco": CocoWriter(tmp_path, ["crab"])}, ask=lambda _frame: [])
    document = json.loads((tmp_path / "train.json").read_text())
    assert [image["id"] for image in document["images"]] == [1, 2]
    assert document["annotations"] == []
    assert opened(tmp_path / "train.json").getImgIds() == [1, 2]
