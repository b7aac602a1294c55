from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.trainers.sampling import LengthGroupedSampler

LENGTHS = st.lists(st.integers(70, 400), min_size=1, max_size=150)
BATCHES = st.integers(1, 20)


def order(lengths, batch, *, seed=1, epoch=0):
    sampler = LengthGroupedSampler(lengths, global_batch=batch, seed=seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@given(LENGTHS, BATCHES)
def test_every_sample_comes_and_only_the_last_step_is_filled_up(lengths, batch):
    counts = Counter(order(lengths, batch))
    assert set(counts) == set(range(len(lengths)))
    assert counts.total() % batch == 0
    assert counts.total() - len(lengths) < batch
    assert max(counts.values()) - min(counts.values()) <= 1


@given(LENGTHS, BATCHES, st.integers(0, 5))
def test_the_order_depends_on_seed_and_epoch_alone(lengths, batch, epoch):
    assert order(lengths, batch, epoch=epoch) == order(lengths, batch, epoch=epoch)


def test_epochs_and_seeds_differ():
    lengths = list(range(100, 164))
    orders = [tuple(order(lengths, 8, seed=seed, epoch=epoch)) for seed in (1, 2) for epoch in (0, 1)]
    assert len(set(orders)) == 4


def test_a_step_s_samples_are_of_similar_length():
    lengths = [100 + 7 * number % 300 for number in range(512)]
    numbers = order(lengths, 8)
    spans = [
        max(lengths[n] for n in numbers[start : start + 8]) - min(lengths[n] for n in numbers[start : start + 8])
        for start in range(0, len(numbers), 8)
    ]
    # Eight of 300 different lengths drawn at random span 230 on average.
    assert sum(spans) / len(spans) < 60


def test_the_steps_are_whole():
    sampler = LengthGroupedSampler([80] * 17, global_batch=8, seed=0)
    assert (sampler.steps, len(sampler), len(list(sampler))) == (3, 24, 24)
