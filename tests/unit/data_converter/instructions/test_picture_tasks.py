"""What may be asked about a frame, decided by hand; never what the annotations leave open."""

from __future__ import annotations

import pytest

from sam2vlm.data_converter.instructions.picture_tasks import (
    absent_labels,
    located,
    named_regions,
    referred,
    visible_objects,
)


def keys(asks):
    return [ask.key for ask in asks]


def test_an_object_is_located_only_where_its_label_means_no_other(thing, frame_of):
    seen = visible_objects(
        frame_of(
            thing(1, "fish", (0, 0, 20, 20)),
            thing(2, "fish", (40, 0, 20, 20)),
            thing(3, "turtle", (0, 40, 20, 20)),
            thing(4, "sea star", (60, 40, 20, 20)),
            thing(5, "eel", None),
        )
    )
    assert keys(located(seen)) == ["3", "4"]


@pytest.mark.parametrize("other", ["Hermit crab", "CRAB", "", " "])
def test_what_may_carry_the_same_name_makes_it_ambiguous(thing, frame_of, other):
    seen = visible_objects(frame_of(thing(1, "crab", (0, 0, 20, 20)), thing(2, other, (40, 0, 20, 20))))
    assert "1" not in keys(located(seen))


def test_an_identity_that_two_objects_have_means_neither(thing, frame_of):
    seen = visible_objects(frame_of(thing(1, "fish", (0, 0, 20, 20)), thing(1, "crab", (40, 0, 20, 20))))
    assert keys(located(seen)) == keys(named_regions(seen, 120, 80)) == []


def test_absent_is_what_no_visible_object_may_be(thing, frame_of):
    vocabulary = ("crab", "hermit crab", "eel", "Fish")
    seen = visible_objects(frame_of(thing(1, "hermit crab", (0, 0, 20, 20)), thing(2, "eel", None)))
    assert keys(absent_labels(seen, vocabulary)) == ["eel", "Fish"]
    assert keys(absent_labels([], vocabulary)) == list(vocabulary)
    unnamed = visible_objects(frame_of(thing(1, "", (0, 0, 20, 20))))
    assert keys(absent_labels(unnamed, vocabulary)) == []


def test_an_object_is_referred_to_where_it_stands_out_clearly(thing, frame_of):
    seen = visible_objects(
        frame_of(
            thing(1, "fish", (0, 30, 20, 20)),
            thing(2, "fish", (40, 28, 22, 20)),
            thing(3, "crab", (90, 29, 10, 10)),
        )
    )
    found = {(ask.relation, ask.label): ask.meant.object_id for ask in referred(seen, 120, 80)}
    # 440 and 400 pixels are not clearly different, nor are 28, 29 and 30 rows; two fish are beside each other.
    assert found == {
        ("leftmost", None): 1,
        ("leftmost", "fish"): 1,
        ("rightmost", None): 3,
        ("rightmost", "fish"): 2,
        ("smallest", None): 3,
    }


def test_a_large_object_behind_a_small_one_is_not_disputed(thing, frame_of):
    # The large one begins farther left, the small one's middle lies farther left.
    seen = visible_objects(frame_of(thing(1, "fish", (10, 0, 100, 40)), thing(2, "crab", (20, 50, 10, 10))))
    found = {(ask.relation, ask.meant.object_id) for ask in referred(seen, 120, 80)}
    assert not any(relation == "leftmost" for relation, _object_id in found)
    assert found >= {("rightmost", 1), ("largest", 1), ("lowest", 2)}


def test_an_unnamed_rival_of_a_label_is_a_rival(thing, frame_of):
    seen = visible_objects(
        frame_of(thing(1, "fish", (20, 0, 10, 10)), thing(2, "fish", (60, 0, 10, 10)), thing(3, "", (0, 0, 10, 10)))
    )
    leftmost = {ask.label: ask.meant.object_id for ask in referred(seen, 120, 80) if ask.relation == "leftmost"}
    assert leftmost == {None: 3}


def test_a_lone_object_is_no_superlative(thing, frame_of):
    assert keys(referred(visible_objects(frame_of(thing(1, "fish", (0, 0, 20, 20)))), 120, 80)) == []


def test_a_place_is_named_where_nothing_else_is_there(thing, frame_of):
    seen = visible_objects(
        frame_of(
            thing(1, "fish", (0, 0, 40, 40)),
            thing(2, "crab", (2, 2, 38, 38)),
            thing(3, "eel", (80, 0, 20, 20)),
            thing(4, "", (80, 40, 20, 20)),
            thing(5, "speck", (60, 60, 2, 2)),
        )
    )
    assert keys(named_regions(seen, 120, 80)) == ["3"]
