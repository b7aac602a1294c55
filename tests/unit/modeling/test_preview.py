"""The preview shows the dataset as it is, and what the texts say beside it, right or wrong."""

from __future__ import annotations

import io

import numpy as np
import pycocotools.mask
import pytest
from datasets import Dataset
from PIL import Image

from sam2vlm.annotations.overlay import BLUE, ORANGE
from sam2vlm.annotations.picture_text import own_font
from sam2vlm.data_converter.dataset_rows import dataset_features
from sam2vlm.data_converter.instructions import CONVENTIONS, Instruction, box_convention
from sam2vlm.errors import DataError
from sam2vlm.modeling.preview import choose_samples, preview_page, preview_sheet
from sam2vlm.modeling.preview.overlays import draw_sample
from sam2vlm.modeling.preview.words import read_back

LABELS = ("crab", "fish")
OUTLINE = (20.0, 20.0, 60.0, 20.0, 60.0, 50.0)
ASKED = (
    Instruction("detect", "Where?", "en", "{objects}"),
    Instruction("count", "How many?", "en", "2"),
    Instruction("locate", "Where is the crab?", "en", "{object}", label="crab", object_id=1),
    Instruction("name", "What is at {region}?", "en", "crab", object_id=1, region=(20.0, 20.0, 40.0, 30.0)),
    Instruction("polygon", "Outline the crab.", "en", "{outline}", object_id=1, outline=OUTLINE),
)


def thing(object_id, label, box):
    x, y, w, h = box
    pixels = np.zeros((120, 160), np.uint8, order="F")
    pixels[y : y + h, x : x + w] = 1
    counts = pycocotools.mask.encode(pixels)["counts"].decode()
    return {
        "object_id": object_id,
        "track_id": f"v/{object_id}",
        "label": label,
        "label_id": LABELS.index(label),
        "bbox": [float(x), float(y), float(w), float(h)],
        "area": float(w * h),
        "segmentation": {"size": [120, 160], "counts": counts},
        "confidence": None,
    }


def row(number, *, asked=ASKED, objects=None):
    stream = io.BytesIO()
    Image.new("RGB", (160, 120), (90, 90, 90)).save(stream, format="PNG")
    things = [thing(1, "crab", (20, 20, 40, 30)), thing(2, "fish", (100, 60, 30, 40))] if objects is None else objects
    return {
        "sample_id": f"v/{number:06d}",
        "split": "train",
        "video_id": "v",
        "frame_index": number,
        "timestamp_sec": number / 5,
        "image": {"bytes": stream.getvalue(), "path": None},
        "width": 160,
        "height": 120,
        "objects": things,
        "instructions": [item.row() for item in asked],
    }


def samples(*rows, count=12, seed=0, family="llava"):
    split = Dataset.from_list(list(rows), features=dataset_features(LABELS))
    return choose_samples(split, count=count, seed=seed, boxes=box_convention(family))


def pixels_of(sample, colour):
    drawn = np.asarray(draw_sample(sample, width=640, font=own_font()))
    return (drawn == colour).all(axis=2)


@pytest.mark.parametrize("family", sorted(CONVENTIONS))
def test_every_familys_text_is_read_back_to_the_datasets_boxes(family):
    (shown,) = samples(row(0), family=family)
    turns = {turn.task: turn for turn in shown.turns}
    assert [found.label for found in turns["detect"].boxes] == ["crab", "fish"]
    assert turns["detect"].lowest_iou > 0.85
    assert turns["locate"].lowest_iou > 0.85
    x, y, w, h = turns["name"].boxes[0].bbox
    assert (x, y, w, h) == pytest.approx((20, 20, 40, 30), abs=4)
    assert np.allclose(turns["polygon"].outlines[0].points, [(20, 20), (60, 20), (60, 50)], atol=2)
    assert not any(turn.problems for turn in shown.turns)
    assert [turn.holds_boxes for turn in shown.turns] == [True, False, True, False, True]


def test_what_is_said_of_a_right_answer():
    (shown,) = samples(row(0))
    said = [read_back(turn) for turn in shown.turns]
    assert [wrong for _text, wrong in said] == [False] * 5
    assert said[0][0].startswith("2 boxes read back, lowest IoU 0.9")
    assert said[1][0] == ""
    assert said[4][0] == "an outline of 3 points read back."
    (empty,) = samples(row(0, asked=ASKED[:1], objects=[]))
    assert read_back(empty.turns[0]) == ("no box, as it says.", False)


def test_a_wrong_coordinate_lies_beside_its_object_and_is_told():
    wrong = Instruction(
        "detect", "Where?", "en", "crab [0.80, 0.15, 0.95, 0.30]; fish [0.63, 0.50, 0.81, 0.75]{objects}"
    )
    right, told = samples(row(0, asked=ASKED[:1]), row(1, asked=(wrong,)))
    # At twice the size, and 4:3 in a square: the wrong crab begins 40 pixels above the middle of the square's padding.
    assert right.turns[0].lowest_iou > 0.9
    assert told.turns[0].lowest_iou < 0.1
    assert read_back(told.turns[0])[1]
    corner = (slice(0, 160), slice(500, 640))
    assert not pixels_of(right, ORANGE)[corner].any()
    assert pixels_of(told, ORANGE)[corner].any()


def test_an_answer_that_cannot_be_read_is_told():
    (shown,) = samples(row(0, asked=(Instruction("detect", "Where?", "en", "somewhere {{1}} [2, 3]{objects}"),)))
    text, wrong = read_back(shown.turns[0])
    assert wrong
    assert text.startswith("Cannot be read back: ")


def test_both_line_styles_are_seen_where_the_boxes_agree():
    (shown,) = samples(row(0, asked=ASKED[:1]))
    edge = (slice(4 * 20 + 40, 4 * 50 - 40), slice(4 * 20 - 8, 4 * 20 + 9))
    assert pixels_of(shown, BLUE)[edge].any()
    assert pixels_of(shown, ORANGE)[edge].any()


def test_the_choice_depends_on_the_seed_alone():
    rows = [row(number, asked=ASKED[:1]) for number in range(40)]
    chosen = [[shown.sample_id for shown in samples(*rows, count=5, seed=seed)] for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert chosen[0] == sorted(chosen[0])
    assert len(samples(*rows[:3], count=12)) == 3


def test_equal_input_gives_equal_bytes_of_sheet_and_page():
    told = {"title": "train", "written_as": "llava"}
    shown = samples(row(0), row(1), row(2))
    sheet = preview_sheet(shown, **told)
    assert sheet == preview_sheet(samples(row(0), row(1), row(2)), **told)
    picture = Image.open(io.BytesIO(sheet))
    assert picture.width == 2 * (440 + 400 + 3 * 16) + 16
    text = preview_page(shown, **told)
    assert text == preview_page(shown, **told)
    assert text.count('<img src="data:image/jpeg;base64,') == 3
    assert "lowest IoU" in text


def test_a_page_holds_no_markup_of_the_dataset():
    evil = Instruction("detect", "<script>alert(1)</script>", "en", "<img src=x>{objects}")
    text = preview_page(samples(row(0, asked=(evil,))), title="<b>", written_as="<i>")
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_long_conversation_is_cut_and_says_so():
    long = tuple(Instruction("count", f"How many, question {number}?", "en", "2") for number in range(50))
    sheet = Image.open(io.BytesIO(preview_sheet(samples(row(0, asked=long)), title="t", written_as="w")))
    assert sheet.height < 60 * 20 + 200


def test_a_dataset_of_the_first_version_is_shown():
    old = Instruction("detect", "Where?", "en")
    (shown,) = samples(row(0, asked=(old,)))
    assert shown.turns[0].lowest_iou > 0.9


def test_a_picture_of_another_size_is_refused():
    wrong = {**row(0), "width": 320}
    with pytest.raises(DataError, match="of another size"):
        samples(wrong)
