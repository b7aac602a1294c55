"""Labels that are nearly the same, that change, or that name nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.errors import SettingsError
from sam2vlm.validation import Status, default_label_check, label_change_check, label_spelling_check
from sam2vlm.validation.label_rules import _one_edit


def labelled(made, *labels):
    return made.dataset(*(made.frame(n, made.thing(label=label, object_id=n)) for n, label in enumerate(labels)))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ("Turtle", "case"),
        ("turtle ", "space"),
        (" turtle", "space"),
        ("tur tle", "space"),
        ("TURTLE ", "case and space"),
        ("turle", "one letter"),
        ("turtles", "one letter"),
        ("turtlr", "one letter"),
        ("trutle", "one letter"),
        ("Turtel", "one letter"),
        ("tortoise", None),
        ("turtle2", None),
        ("trulte", None),
    ],
)
def test_what_makes_two_labels_one(made, other, what):
    result = label_spelling_check(labelled(made, "turtle", "turtle", other))
    words = f'"{other}" (1 objects) and "turtle" (2) differ only by {what}'
    assert [(item.message, item.label) for item in result.findings] == ([] if what is None else [(words, other)])


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("cat", "car", False),
        ("cats", "cat", False),  # three letters are too few for a slip
        ("crab", "crib", True),
        ("cat", "Cat", True),
        ("person 1", "person 2", False),
        ("object_1", "object_11", False),
        ("貝殻", "貝殼", False),
        ("straße", "STRASSE", True),
    ],
)
def test_short_and_numbered_labels_are_left_alone(made, one, other, found):
    assert bool(label_spelling_check(labelled(made, one, other)).findings) is found


def test_the_length_of_a_slip_is_the_callers(made):
    assert label_spelling_check(labelled(made, "cat", "car"), min_edit_length=3).findings
    assert not label_spelling_check(labelled(made, "crab", "crib"), min_edit_length=5).findings


def distance(one, other):
    """Optimal string alignment, as textbooks have it."""
    rows = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            same = one[i - 1] == other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


words = st.text("abc", min_size=1, max_size=5)


@given(words, words)
@settings(max_examples=300, deadline=None)
def test_one_edit_is_that_of_the_textbook_table(one, other):
    if one != other:
        assert _one_edit(one, other) is (distance(one, other) == 1)


@given(st.lists(st.text("ab ", min_size=1, max_size=6), min_size=1, max_size=8, unique=True))
@settings(max_examples=100, deadline=None)
def test_no_pair_is_overlooked(labels):
    from sam2vlm.validation.label_rules import _alike, _difference

    every = {(a, b) for n, a in enumerate(labels) for b in labels[n + 1 :] if _difference(a, b, 4)}
    assert {(one, other) for one, other, _what in _alike(labels, 4)} == every


def test_an_object_with_two_labels_is_told_once_for_each_other_label(made):
    dataset = made.dataset(
        made.frame(0, made.thing(label="crab"), made.thing(label="eel", object_id=2)),
        made.frame(6, made.thing(label="crab"), made.thing(label="eel", object_id=2)),
        made.frame(12, made.thing(label="Crab"), made.absent(label="shell")),
        made.frame(18, made.thing(label="Crab", object_id=1), video_id="w"),
        made.frame(24, made.thing(label="")),
    )
    result = label_change_check(dataset)
    assert [(item.frame_index, item.label, item.message) for item in result.findings] == [
        (12, "Crab", 'is called "Crab" in 1 frames from frame 12 on, and "crab" in 2'),
        (24, "", 'is called "" in 1 frames from frame 24 on, and "crab" in 2'),
    ]
    assert (result.checked, result.facts) == (3, {"changed": 1})


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("object_3", True),
        ("Object 12", True),
        ("obj7", True),
        ("mask-1", True),
        ("17", True),
        ("object", False),
        ("mask", False),
        ("crab_3", False),
        ("objective 3", False),
        ("", False),
    ],
)
def test_a_tools_own_names(made, label, found):
    assert bool(default_label_check(labelled(made, label)).findings) is found


def test_the_names_are_the_callers(made):
    assert default_label_check(labelled(made, "Ding", "crab"), default_names="ding").facts == {"default_names": 1}
    with pytest.raises(SettingsError, match="regular expression"):
        default_label_check(labelled(made, "crab"), default_names="(")


def test_an_empty_dataset_passes(made):
    for rule in (label_spelling_check, label_change_check, default_label_check):
        assert rule(made.dataset()).status is Status.PASSED
