import pytest

from pretraining.answers import count_answer, describe_answer, detect_answer
from pretraining.evaluate import match_boxes, overlap, parse_answer
from pretraining.pictures import Object

STAR = Object("star", (0.1, 0.2, 0.5, 0.6))
BALL = Object("circle", (0.0, 0.3, 1.0, 0.704))


def test_detect():
    assert detect_answer([]) == "none"
    assert detect_answer([STAR, BALL]) == "star [0.10, 0.20, 0.50, 0.60]; circle [0.00, 0.30, 0.99, 0.70]"


def test_count():
    assert count_answer([STAR, BALL]) == "2"


@pytest.mark.parametrize(
    ("objects", "sentence"),
    [
        ([], "There are no objects."),
        ([STAR], "There is 1 object: 1 star."),
        ([STAR, BALL, BALL], "There are 3 objects: 2 circle and 1 star."),
        ([STAR, BALL, Object("arrow", STAR.box)], "There are 3 objects: 1 arrow, 1 circle and 1 star."),
    ],
)
def test_describe(objects, sentence):
    assert describe_answer(objects) == sentence


def test_parsing_gives_back_what_was_written():
    assert parse_answer(" " + detect_answer([STAR])) == [STAR]
    assert parse_answer("none") == []
    assert parse_answer("star [0.10, 0.20, 0.50") == []


def test_overlap_counted_by_hand():
    assert overlap((0, 0, 0.2, 0.1), (0.1, 0, 0.3, 0.1)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 0.1, 0.1), (0.2, 0, 0.3, 0.1)) == 0


def test_each_box_is_matched_once():
    assert match_boxes([STAR, STAR], (STAR,)) == [(1, 0, 1.0)]


@pytest.mark.parametrize("box", ["0.120.59, 0.2, 0.3, 0.4", ", , , ", "0.1, 0.2, 0.3", "1, 2, 3, 4"])
def test_what_is_no_box_is_left_out(box):
    assert parse_answer(f"star [{box}]; ring [0.10, 0.20, 0.30, 0.40]") == [Object("ring", (0.1, 0.2, 0.3, 0.4))]
