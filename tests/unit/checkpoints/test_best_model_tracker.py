from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.checkpoints import BestModelTracker


def followed(values, **options):
    tracker = BestModelTracker(**options)
    for step, value in enumerate(values):
        tracker.update(step, value)
    return tracker


def test_the_lowest_loss_is_best_and_the_first_of_equals():
    tracker = followed([5.0, 3.0, 2.0, 2.0, 4.0])
    assert (tracker.best_step, tracker.best_value, tracker.stale) == (2, 2.0, 2)


def test_the_figure_before_training_is_the_mark_and_never_the_best():
    tracker = followed([1.0, 3.0, 2.0])
    assert tracker.initial_value == 1.0
    assert tracker.best_step == 2
    assert not tracker.learned


def test_learned_only_where_the_best_beats_the_start():
    assert followed([5.0, 4.9]).learned
    assert not followed([5.0, 5.0]).learned
    assert not followed([5.0]).learned


def test_greater_can_be_better():
    tracker = followed([0.1, 0.3, 0.2], metric="mAP50", greater_is_better=True)
    assert tracker.best_step == 1
    assert tracker.learned


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_never_best(odd):
    assert followed([5.0, odd, 4.0]).best_step == 2


def test_patience_ends_with_that_many_evaluations_in_a_row_without_a_better_one():
    assert not followed([9.0, 5.0, 6.0, 4.0, 5.0], patience=2).exhausted
    assert followed([9.0, 5.0, 6.0, 4.0, 5.0, 5.0], patience=2).exhausted
    assert not followed([9.0, 5.0, *[6.0] * 50]).exhausted


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.integers(0, 20))
def test_a_restored_tracker_goes_on_as_if_nothing_had_happened(values, cut):
    before = followed(values[:cut])
    restored = BestModelTracker()
    restored.restore(json.loads(json.dumps(before.state())))
    for step, value in list(enumerate(values))[cut:]:
        restored.update(step, value)
    assert restored.state() == followed(values).state()


def test_the_state_of_another_figure_is_refused():
    with pytest.raises(ValueError, match="mAP50"):
        BestModelTracker().restore(BestModelTracker("mAP50").state())
