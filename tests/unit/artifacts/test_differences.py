from __future__ import annotations

from sam2vlm.artifacts.differences import differences


def test_equal_settings_differ_in_nothing():
    assert differences({"a": {"b": [1]}}, {"a": {"b": [1]}}) == {}


def test_what_differs_is_named_by_its_path_with_both_values():
    before = {"lora": {"rank": 8, "alpha": 16}, "seed": 1, "gone": True}
    now = {"lora": {"rank": 32, "alpha": 16}, "seed": 1, "new": [1]}
    assert differences(before, now) == {"gone": (True, None), "lora.rank": (8, 32), "new": (None, [1])}


def test_the_values_of_a_group_that_one_lacks_are_named_one_by_one():
    assert differences({"lora": None}, {"lora": {"rank": 8}}) == {"lora.rank": (None, 8)}
