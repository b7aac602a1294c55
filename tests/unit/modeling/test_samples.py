from __future__ import annotations

import pytest
import torch

from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.errors import DataError
from sam2vlm.modeling.samples import Samples, select_samples
from sam2vlm.modeling.targets import targets_of
from tests.training_runs import FEATURES, frame, split


def select(rows, encoder, **options):
    return select_samples(
        rows, encoder, **{"boxes": LlavaBoxes(), "max_length": 512, "max_dropped_share": 0.01, "tasks": None, **options}
    )


def test_every_question_of_every_frame_is_a_sample_with_its_answer():
    rows = split(2, tasks=("detect", "count"))
    targets = targets_of(rows, boxes=LlavaBoxes())
    assert [item.sample_id for item in targets] == [
        f"video/00000{number}#{task}" for number in (0, 1) for task in ("detect", "count")
    ]
    for item in targets:
        count = len(rows[item.row]["objects"])
        assert item.answer.count("[") == count if item.task == "detect" else item.answer == str(count)


def test_a_task_that_is_asked_twice_has_two_names():
    rows = split(1, tasks=("detect", "detect"))
    assert [item.sample_id for item in targets_of(rows, boxes=LlavaBoxes())] == [
        "video/000000#detect",
        "video/000000#detect.2",
    ]


def test_only_the_chosen_tasks_are_taken(encoder):
    kept, counts = select(split(4, tasks=("detect", "count")), encoder, tasks=("count",))
    assert {item.target.task for item in kept} == {"count"}
    assert (counts.seen, counts.kept, counts.dropped) == (4, 4, {})


def test_a_sample_that_is_too_long_is_left_out_whole_and_counted(encoder):
    rows = split(8, tasks=("detect", "count"))
    lengths = [item.length for item in select(rows, encoder)[0]]
    limit = max(lengths) - 1
    kept, counts = select(rows, encoder, max_length=limit, max_dropped_share=0.9)
    assert [item.length for item in kept] == [length for length in lengths if length <= limit]
    assert counts.dropped == {"too_long": len(lengths) - len(kept)}


def test_more_than_the_allowed_share_too_long_is_an_error_that_names_the_longest(encoder):
    rows = split(4)
    with pytest.raises(DataError, match=r"video/00000\d#detect: 4 of 4 samples have more than 80 tokens.*at most 80"):
        select(rows, encoder, max_length=80)


def test_a_split_without_questions_is_an_error(encoder):
    with pytest.raises(DataError, match="no samples"):
        select(split(2, tasks=()), encoder)


@pytest.fixture
def samples(encoder, processor):
    rows = split(4, tasks=("detect", "count"))
    kept, _ = select(rows, encoder)
    return lambda cache_mb: Samples(rows, kept, processor=processor, cache_mb=cache_mb)


def test_a_picture_is_what_the_processor_makes_of_it(samples, processor):
    item = samples(16)[3]
    expected = processor.image_processor(images=[split(4)[1]["image"]], return_tensors="pt")["pixel_values"]
    assert item["encoded"].target.row == 1
    assert torch.equal(item["picture"]["pixel_values"], expected)
    assert expected.shape == (1, 3, 128, 128)


def test_pictures_are_processed_once_a_frame_while_they_fit(samples):
    kept = samples(16)
    assert kept[0]["picture"] is kept[1]["picture"]
    assert kept[0]["picture"] is kept[0]["picture"]


def test_without_room_nothing_is_kept_and_nothing_changes(samples):
    one, other = samples(0), samples(16)
    assert one[0]["picture"] is not one[0]["picture"]
    assert torch.equal(one[5]["picture"]["pixel_values"], other[5]["picture"]["pixel_values"])


def test_a_picture_of_another_size_than_its_row_says_is_refused(encoder, processor):
    from datasets import Dataset

    rows = Dataset.from_list([{**frame(0), "width": 200}], features=FEATURES)
    kept, _ = select(rows, encoder)
    with pytest.raises(DataError, match=r"video/000000#detect.*\(200, 64\).*\(96, 64\)"):
        Samples(rows, kept, processor=processor, cache_mb=1)[0]


def test_a_picture_that_cannot_be_read_is_named(encoder, processor):
    from datasets import Dataset

    broken = {**frame(0), "image": {"bytes": frame(0)["image"]["bytes"][:200], "path": None}}
    rows = Dataset.from_list([broken], features=FEATURES)
    kept, _ = select(rows, encoder)
    with pytest.raises(DataError, match="video/000000#detect: its picture cannot be read"):
        Samples(rows, kept, processor=processor, cache_mb=1)[0]
