import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations import Frame, Mask, ObjectAnnotation
from sam2vlm.data_splitter import (
    SPLIT_GAP,
    SplitConfig,
    SplitStrategy,
    StratifiedSplitter,
    TemporalSplitter,
    make_splitter,
)
from sam2vlm.data_splitter.splitter import exact_sizes
from sam2vlm.errors import DataError, SettingsError

LABELS = ("crab", "fish", "turtle", "jellyfish")


def sample(number, labels=(), video="v", fps=5.0):
    return {
        "sample_id": f"{video}/{number:06d}", "video_id": video, "frame_index": number, "labels": list(labels),
        "timestamp_sec": number / fps,
    }  # fmt: skip


def ids(samples):
    return [item["sample_id"] for item in samples]


label_sets = st.lists(st.sets(st.sampled_from(LABELS)), min_size=3, max_size=150)
strategies = st.sampled_from([SplitStrategy.STRATIFIED, SplitStrategy.RANDOM])
ratios = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)


def config_of(strategy, parts, **more):
    return SplitConfig(strategy=strategy, train_ratio=parts[0], val_ratio=parts[1], test_ratio=parts[2], **more)


@given(label_sets, strategies, ratios, st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_every_sample_is_in_one_split_of_the_exact_size_in_any_order_of_the_input(sets, strategy, parts, seed, rng):
    samples = [sample(number, labels) for number, labels in enumerate(sets)]
    splitter = make_splitter(config_of(strategy, parts, seed=seed))
    result = splitter.split(samples)
    assert sorted(ids(result.train) + ids(result.val) + ids(result.test)) == ids(samples)
    assert [len(part) for part in result] == exact_sizes(len(samples), parts)
    assert all(result)
    shuffled = rng.sample(samples, len(samples))
    assert [ids(part) for part in splitter.split(shuffled)] == [ids(part) for part in result]
    assert not result.dropped


@given(st.integers(3, 500), ratios)
def test_sizes_add_up_and_are_within_one_of_the_ratio_or_the_one_that_nobody_may_lack(total, parts):
    sizes = exact_sizes(total, parts)
    assert sum(sizes) == total
    assert min(sizes) >= 1
    if min(total * part for part in parts) >= 1:
        assert all(abs(size - total * part) < 1 + 1e-6 for size, part in zip(sizes, parts, strict=True))


@pytest.mark.parametrize(
    ("total", "expected"), [(3, [1, 1, 1]), (10, [8, 1, 1]), (25, [20, 3, 2]), (104, [83, 11, 10])]
)
def test_sizes_by_hand(total, expected):
    assert exact_sizes(total, (0.8, 0.1, 0.1)) == expected


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(200, 400))
def test_stratified_keeps_every_labels_share_within_five_percent(seed, count):
    rng = random.Random(f"labels/{seed}")
    rates = [rng.uniform(0.02, 0.7) for _ in LABELS]
    samples = [
        sample(number, [label for label, rate in zip(LABELS, rates, strict=True) if rng.random() < rate])
        for number in range(count)
    ]
    splitter = StratifiedSplitter(SplitConfig(seed=seed))
    train, val, test = splitter.split(samples)
    verdict = splitter.validate_split(train, val, test, tolerance=0.05)
    assert verdict["is_valid"], verdict["issues"]
    whole = verdict["class_shares"]["all"]
    for name in ("train", "val", "test"):
        for label, share in verdict["class_shares"][name].items():
            assert abs(share - whole[label]) <= 0.05, (name, label)


def test_stratified_looks_at_all_labels_and_not_at_the_first():
    # Every sample's first label is the same; the second one is what has to be shared out.
    samples = [sample(number, ["crab", "fish"] if number < 10 else ["crab", "turtle"]) for number in range(100)]
    for seed in range(20):
        result = StratifiedSplitter(SplitConfig(seed=seed)).split(samples)
        assert [sum("fish" in item["labels"] for item in part) for part in result] == [8, 1, 1]


def test_stratified_shares_out_samples_without_labels_too():
    samples = [sample(number, [] if number < 20 else ["crab"]) for number in range(100)]
    result = StratifiedSplitter().split(samples)
    assert [sum(not item["labels"] for item in part) for part in result] == [16, 2, 2]


def test_the_seed_decides_and_nothing_else():
    samples = [sample(number, [LABELS[number % 4]]) for number in range(60)]
    for strategy in (SplitStrategy.STRATIFIED, SplitStrategy.RANDOM):
        splits = {
            tuple(ids(make_splitter(SplitConfig(strategy=strategy, seed=seed)).split(samples).test))
            for seed in range(10)
        }
        assert len(splits) > 5


@pytest.mark.parametrize("strategy", list(SplitStrategy))
def test_the_split_is_the_same_under_any_hash_seed(strategy):
    code = (
        "from sam2vlm.data_splitter import *\n"
        "samples = [{'sample_id': f's{n}', 'video_id': f'v{n % 4}', 'frame_index': n, 'timestamp_sec': n / 2,"
        " 'labels': [x for k, x in enumerate('abcde') if n % (k + 2) == 0]} for n in range(120)]\n"
        f"result = make_splitter(SplitConfig(strategy='{strategy}')).split(samples)\n"
        "print([[s['sample_id'] for s in part] for part in result], result.notes)\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(said) == 1


@given(st.lists(st.integers(1, 40), min_size=3, max_size=12), strategies, st.integers(0, 1000))
def test_by_video_never_cuts_a_video_and_leaves_no_split_empty(lengths, strategy, seed):
    samples = [
        sample(number, [LABELS[(number + video) % 4]], video=f"v{video}")
        for video, length in enumerate(lengths)
        for number in range(length)
    ]
    splitter = make_splitter(SplitConfig(strategy=strategy, by_video=True, seed=seed))
    result = splitter.split(samples)
    videos = [{item["video_id"] for item in part} for part in result]
    assert all(videos)
    assert sum(map(len, videos)) == len(lengths)
    assert sum(map(len, result)) == len(samples)
    assert not any("videos are in more than one" in issue for issue in splitter.validate_split(*result)["issues"])


def test_stratified_by_video_balances_size_and_labels():
    samples = [
        sample(number, ["crab"] if video % 2 else ["fish"], video=f"v{video:02d}")
        for video in range(20)
        for number in range(10)
    ]
    result = StratifiedSplitter(SplitConfig(by_video=True)).split(samples)
    assert [len(part) for part in result] == [160, 20, 20]
    assert [Counter(label for item in part for label in item["labels"]) for part in result] == [
        {"crab": 80, "fish": 80}, {"crab": 10, "fish": 10}, {"crab": 10, "fish": 10}
    ]  # fmt: skip


@given(st.integers(60, 400), st.sampled_from([2.0, 5.0, 30.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(1, 3))
def test_temporal_blocks_are_in_order_with_a_gap_at_every_border(count, fps, gap, videos):
    samples = [sample(number, video=f"v{video}", fps=fps) for video in range(videos) for number in range(count)]
    splitter = TemporalSplitter(SplitConfig(strategy="temporal", gap_sec=gap))
    if count / fps < 4 * gap + 15 / fps:
        return
    result = splitter.split(samples)
    dropped = result.dropped.get(SPLIT_GAP, [])
    assert sorted(ids(result.train) + ids(result.val) + ids(result.test) + ids(dropped)) == sorted(ids(samples))
    for video in {item["video_id"] for item in samples}:
        train, val, test = (
            [item["timestamp_sec"] for item in part if item["video_id"] == video] for part in result
        )  # fmt: skip
        assert val[0] - train[-1] >= max(2 * gap, 1 / fps) - 1e-9
        assert test[0] - val[-1] >= max(2 * gap, 1 / fps) - 1e-9
        # And no more is lost than the gaps.
        assert val[0] - train[-1] <= 2 * gap + 2 / fps + 1e-9
        kept = len(train) + len(val) + len(test)
        for part, ratio in zip((train, val, test), splitter.config.ratios, strict=True):
            assert abs(len(part) - ratio * kept) <= 2.5
    assert (SPLIT_GAP in result.dropped) == bool(dropped)


def test_temporal_by_hand():
    # 100 frames at 5 a second stand for 20 s; 4 s are gaps; 12.8, 1.6 and 1.6 s remain.
    samples = [sample(number) for number in range(100)]
    result = TemporalSplitter(SplitConfig(strategy="temporal")).split(samples)
    frames = [[item["frame_index"] for item in part] for part in result]
    assert frames == [list(range(64)), list(range(74, 82)), list(range(92, 100))]
    assert len(result.dropped[SPLIT_GAP]) == 20
    assert "20 samples are in no split (split_gap)." in result.notes


def test_a_pause_in_a_video_makes_no_split_empty():
    def scenes(frames):
        # Two of one length, 100 s apart: in blocks of true time the borders would lie in the pause.
        return [{**sample(n), "timestamp_sec": n / 5 + 100 * (2 * n >= frames)} for n in range(frames)]

    splitter = TemporalSplitter(SplitConfig(strategy="temporal"))
    assert [len(part) for part in splitter.split(scenes(60))] == [30, 5, 5]
    result = splitter.split(scenes(300))
    for before, behind in ((result.train, result.val), (result.val, result.test)):
        assert behind[0]["timestamp_sec"] - before[-1]["timestamp_sec"] >= 2
    assert splitter.validate_split(*result)["issues"] == []


def test_temporal_keeps_a_short_video_in_train_and_says_so():
    samples = [sample(number, video="long") for number in range(200)] + [sample(n, video="short") for n in range(5)]
    result = TemporalSplitter(SplitConfig(strategy="temporal")).split(samples)
    assert sum(item["video_id"] == "short" for item in result.train) == 5
    assert not any(item["video_id"] == "short" for item in result.val + result.test)
    assert "The video short is too short to be cut and is in train as a whole." in result.notes


def test_temporal_reports_a_class_that_is_absent_from_a_block():
    samples = [sample(number, ["crab", "fish"] if number < 20 else ["crab"]) for number in range(200)]
    result = TemporalSplitter(SplitConfig(strategy="temporal")).split(samples)
    assert "The class 'fish' (20 samples) is absent from val and test." in result.notes
    verdict = TemporalSplitter(SplitConfig(strategy="temporal")).validate_split(*result)
    assert verdict["is_valid"]
    assert any("'fish' (20 samples) is absent" in note for note in verdict["notes"])


def test_a_class_too_rare_for_every_split_is_said_to_be():
    samples = [sample(number, ["crab"] + (["fish"] if number < 2 else [])) for number in range(100)]
    splitter = StratifiedSplitter()
    result = splitter.split(samples)
    assert any("'fish' (2 samples), too rare for every split, is absent from" in note for note in result.notes)
    assert splitter.validate_split(*result)["is_valid"]


@pytest.mark.parametrize("strategy", list(SplitStrategy))
@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_frames_are_one_sentence_with_the_numbers(strategy, count):
    with pytest.raises(DataError, match=rf"a split would be empty .*at least 3 frames; found {count}"):
        make_splitter(SplitConfig(strategy=strategy)).split([sample(number) for number in range(count)])


def test_a_video_too_short_for_the_gaps_says_how_long_it_has_to_be():
    with pytest.raises(DataError, match=r"20 frames, and the longest video lasts 3.8 s .*about 6.0 s.*found 3.8 s"):
        TemporalSplitter(SplitConfig(strategy="temporal")).split([sample(number) for number in range(20)])


def test_the_length_that_is_asked_for_is_enough():
    samples = [sample(number) for number in range(32)]  # 6.2 s
    assert all(TemporalSplitter(SplitConfig(strategy="temporal")).split(samples))


def test_too_few_videos_to_keep_each_whole():
    samples = [sample(number, video=f"v{number % 2}") for number in range(50)]
    with pytest.raises(DataError, match=r"50 frames come from too few videos .*found 2"):
        StratifiedSplitter(SplitConfig(by_video=True)).split(samples)


def test_a_temporal_split_needs_times():
    bare = [{"sample_id": str(number), "labels": []} for number in range(9)]
    with pytest.raises(DataError, match="timestamp_sec"):
        TemporalSplitter(SplitConfig(strategy="temporal")).split(bare)


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_ratio": 0.9}, {"train_ratio": 0.9, "test_ratio": 0.0}, {"train_ratio": 1.1, "val_ratio": -0.2},
        {"strategy": "alphabetic"}, {"gap_sec": -1.0}, {"gap_sec": float("inf")}, {"train_ratio": float("nan")},
        {"strategy": "temporal", "by_video": True},
    ],
)  # fmt: skip
def test_an_impossible_setting_is_refused(wrong):
    with pytest.raises(SettingsError):
        SplitConfig(**wrong)


def test_ratios_that_are_off_by_a_rounding_error_are_right():
    assert sum(SplitConfig(train_ratio=0.7, val_ratio=0.2, test_ratio=0.1).ratios) != 1.0


def test_two_samples_of_one_id_are_refused():
    with pytest.raises(DataError, match=r"two samples have one id .*v/000001, also samples\[1\]"):
        StratifiedSplitter().split([sample(0), sample(1), sample(2), sample(1)])


def test_frames_annotations_and_objects_are_understood():
    mask = Mask(height=2, width=2, counts="04")

    def frame(number):
        seen = ObjectAnnotation(0, "crab", mask, (0.0, 0.0, 2.0, 2.0), 4.0)
        gone = ObjectAnnotation(1, "fish", None, None, 0.0)
        return Frame("v", number, number / 5, 2, 2, (seen, gone))

    by_frame = StratifiedSplitter().split([frame(number) for number in range(10)])
    assert all(isinstance(item, Frame) for part in by_frame for item in part)
    verdict = StratifiedSplitter().validate_split(*by_frame)
    assert verdict["class_shares"]["all"] == {"crab": 1.0}  # what cannot be seen does not count
    spec = [{"image": f"{number}.png", "annotations": [{"label": LABELS[number % 2]}]} for number in range(20)]
    train, val, test = StratifiedSplitter().split(spec)
    assert (len(train), len(val), len(test)) == (16, 2, 2)
    assert {item["annotations"][0]["label"] for item in val} == {"crab", "fish"}
    assert [[item["image"] for item in part] for part in StratifiedSplitter().split(spec[::-1])] == [
        [item["image"] for item in part] for part in (train, val, test)
    ]


def test_equal_samples_without_ids_are_still_many():
    splitter = StratifiedSplitter()
    result = splitter.split([{"annotations": [{"label": "crab"}]} for _ in range(50)])
    assert [len(part) for part in result] == [40, 5, 5]
    assert splitter.validate_split(*result)["is_valid"]


def test_whole_numbers_of_any_size_give_the_same_swaps(monkeypatch):
    rng = random.Random("swaps")
    samples = [sample(number, [label for label in LABELS if rng.random() < 0.5]) for number in range(150)]
    usual = [ids(part) for part in StratifiedSplitter().split(samples)]
    monkeypatch.setattr("sam2vlm.data_splitter.swapping._MOST_FOR_INT64", 0)
    assert [ids(part) for part in StratifiedSplitter().split(samples)] == usual


@pytest.mark.parametrize("labels", ["crab", 3])
def test_labels_of_the_wrong_type_are_refused(labels):
    with pytest.raises(DataError, match=r"samples\[1\]"):
        StratifiedSplitter().split([sample(0), {**sample(1), "labels": labels}, sample(2)])


class TestValidateSplit:
    samples = tuple(sample(number, ["crab"] if number % 2 else ["fish"]) for number in range(100))
    splitter = StratifiedSplitter()

    def test_a_good_split(self):
        verdict = self.splitter.validate_split(*self.splitter.split(self.samples), tolerance=0.05)
        assert verdict["is_valid"] is True
        assert verdict["issues"] == []
        assert verdict["class_shares"]["test"] == {"crab": 0.5, "fish": 0.5}

    def test_an_empty_split(self):
        verdict = self.splitter.validate_split(self.samples[:90], self.samples[90:], [])
        assert not verdict["is_valid"]
        assert "test is empty." in verdict["issues"]

    def test_a_sample_in_two_splits(self):
        verdict = self.splitter.validate_split(self.samples[:80], self.samples[79:90], self.samples[90:])
        assert not verdict["is_valid"]
        assert "1 samples occur more than once, for example v/000079." in verdict["issues"]

    def test_shares_that_are_off(self):
        crabs = [item for item in self.samples if item["labels"] == ["crab"]]
        fish = [item for item in self.samples if item["labels"] == ["fish"]]
        verdict = self.splitter.validate_split(crabs[:40] + fish[:40], crabs[40:], fish[40:])
        assert not verdict["is_valid"]
        assert "val: 'crab' is in 100.0% of the samples, in all of them 50.0%." in verdict["issues"]

    def test_sizes_that_are_off(self):
        verdict = self.splitter.validate_split(self.samples[:50], self.samples[50:74], self.samples[74:])
        assert not verdict["is_valid"]
        assert "train has 50 of 100 samples (50.0%) where 80.0% were asked for." in verdict["issues"]

    def test_what_the_counts_do_not_allow_is_a_note(self):
        few = [sample(number, ["crab"] if number % 3 else ["fish"]) for number in range(10)]
        result = self.splitter.split(few)
        verdict = self.splitter.validate_split(*result)
        assert verdict["is_valid"], verdict["issues"]
        assert verdict["notes"]

    def test_a_video_in_two_splits_where_videos_stay_whole(self):
        verdict = StratifiedSplitter(SplitConfig(by_video=True)).validate_split(
            self.samples[:80], self.samples[80:90], self.samples[90:]
        )
        assert "1 videos are in more than one split, for example v." in verdict["issues"]

    def test_blocks_that_are_nearer_than_their_gaps(self):
        splitter = TemporalSplitter(SplitConfig(strategy="temporal"))
        good = splitter.split([sample(number) for number in range(200)])
        assert splitter.validate_split(*good)["is_valid"]
        near = [*good.val, sample(good.val[-1]["frame_index"] + 2)]
        verdict = splitter.validate_split(good.train, near, good.test)
        assert verdict["issues"] == ["1 times frames of two splits are nearer than the gaps of 1 s."]

    def test_shares_that_the_strategy_cannot_help_are_one_note(self):
        samples = [sample(number, ["crab", "fish"] if number < 20 else ["crab"]) for number in range(200)]
        splitter = TemporalSplitter(SplitConfig(strategy="temporal"))
        verdict = splitter.validate_split(*splitter.split(samples))
        shares, absence = verdict["notes"]
        assert shares.startswith("The shares of 'fish' in some split are more than 5% off those in all samples")
        assert shares.endswith("which blocks of time cannot help.")
        assert absence == "The class 'fish' (20 samples) is absent from val and test."

    def test_an_impossible_tolerance(self):
        with pytest.raises(SettingsError, match="tolerance"):
            self.splitter.validate_split([], [], [], tolerance=5)


@pytest.mark.parametrize("strategy", ["random", "stratified"])
def test_whoever_tears_a_video_apart_says_so(strategy):
    torn = make_splitter(SplitConfig(strategy=strategy)).split([sample(number) for number in range(30)])
    assert any(f"a {strategy} split of them measures memory" in note for note in torn.notes)
    pictures = make_splitter(SplitConfig(strategy=strategy)).split([sample(0, video=f"v{n}") for n in range(30)])
    assert not any("memory" in note for note in pictures.notes)
