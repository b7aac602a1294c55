"""What auto chooses, and that it says why."""

import itertools
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations import Frame, FrameStore, FrameView
from sam2vlm.data_splitter import SPLITS, AutoSplitter, SplitConfig, SplitStrategy, StratifiedSplitter, make_splitter
from sam2vlm.data_splitter.splitter import exact_sizes
from sam2vlm.errors import DataError, SettingsError


def sample(number, video="v", *, second=None, labels=("crab",)):
    return {
        "sample_id": f"{video}/{number:06d}", "video_id": video, "frame_index": number,
        "timestamp_sec": number / 5 if second is None else second, "labels": list(labels),
    }  # fmt: skip


def video(name, frames, **more):
    return [sample(number, name, **more) for number in range(frames)]


def split(samples, **config):
    return make_splitter(SplitConfig(strategy="auto", **config)).split(samples)


def test_frames_of_a_video_are_cut_in_time():
    result = split(video("v", 200))
    assert result.config.strategy is SplitStrategy.TEMPORAL
    assert result.notes[0] == "auto chose temporal: the frames come from one video, where neighbours are near-copies."
    assert [part[0]["frame_index"] for part in result] == [0, 154, 182]


def test_frames_of_several_long_videos_are_cut_each():
    result = split(video("a", 200) + video("b", 150) + video("c", 5))
    assert result.config.strategy is SplitStrategy.TEMPORAL
    assert "3 videos" in result.notes[0]
    assert all({item["video_id"] for item in part} >= {"a", "b"} for part in result)


def test_many_short_videos_stay_whole():
    samples = list(itertools.chain.from_iterable(video(f"v{number}", 10) for number in range(20)))
    result = split(samples)
    assert result.config == SplitConfig(strategy="stratified", by_video=True)
    assert "200 of the 200 frames are in videos too short to be cut with gaps" in result.notes[0]
    assert [len(part) for part in result] == [160, 20, 20]
    whole = Counter(name for part in result for name in {item["video_id"] for item in part})
    assert set(whole.values()) == {1}


def test_two_short_videos_cannot_be_helped_and_the_error_says_what_would():
    with pytest.raises(DataError, match=r"a split would be empty.*or a smaller gap_sec"):
        split(video("a", 10) + video("b", 10))


def test_single_pictures_are_stratified():
    samples = [sample(0, f"picture-{number}", labels=["crab" if number % 5 else "fish"]) for number in range(100)]
    result = split(samples)
    assert result.config.strategy is SplitStrategy.STRATIFIED
    assert not result.config.by_video
    assert "no two samples are of one video." in result.notes[0]
    assert [sum("fish" in item["labels"] for item in part) for part in result] == [16, 2, 2]


def test_frames_of_one_video_at_one_time_are_not_torn_apart():
    with pytest.raises(DataError, match=r"100 frames of the longest video have one time .*found 0 s in each"):
        split([sample(number, second=0.0) for number in range(100)])
    several = [sample(number, name, second=0.0) for name in "abcdef" for number in range(30)]
    assert split(several).config.by_video


def test_frames_in_an_order_but_without_times_stay_whole_by_video():
    samples = [{**item, "timestamp_sec": None} for name in "abcdef" for item in video(name, 30)]
    assert split(samples).config.by_video


def test_two_videos_that_show_the_same_are_split_as_one():
    same = {"a-1f": "a"}
    # The second export is of the video's second half: cut by itself, its train would be the other one's test.
    halves = video("a", 200) + [sample(number, "a-1f") for number in range(100, 200)]
    result = split(halves, same_video=same)
    assert "one video" in result.notes[0]
    assert max(item["timestamp_sec"] for item in result.train) + 2 <= min(item["timestamp_sec"] for item in result.test)
    whole = split(halves + video("b", 100) + video("c", 100), same_video=same, by_video=True)
    assert sum({"a", "a-1f"} & {item["video_id"] for item in part} != set() for part in whole) == 1
    assert not any(
        "more than one split" in issue for issue in make_splitter(whole.config).validate_split(*whole)["issues"]
    )


def test_what_is_asked_to_stay_whole_stays_whole():
    result = split(video("a", 200) + video("b", 200) + video("c", 200), by_video=True)
    assert result.config == SplitConfig(strategy="stratified", by_video=True)
    assert "asked to stay whole" in result.notes[0]


def test_auto_checks_by_what_it_chose():
    samples = video("v", 200)
    splitter = AutoSplitter(SplitConfig(strategy="auto"))
    assert splitter.validate_split(*splitter.split(samples))["is_valid"]
    torn = samples[0:200:3], samples[1:200:3], samples[2:200:3]
    assert any("nearer than the gaps" in issue for issue in splitter.validate_split(*torn)["issues"])


class TestGroups:
    #: Two videos of each of five people.
    samples = tuple(
        item for number in range(10) for item in video(f"v{number}", 20, labels=["crab"] if number % 2 else ["fish"])
    )
    groups = {f"v{number}": f"person {number // 2}" for number in range(10)}  # noqa: RUF012  nobody changes it

    @pytest.mark.parametrize("strategy", ["auto", "stratified", "random"])
    def test_a_group_is_in_one_split(self, strategy):
        splitter = make_splitter(SplitConfig(strategy=strategy, groups=self.groups, train_ratio=0.6, val_ratio=0.2,
                                             test_ratio=0.2))  # fmt: skip
        result = splitter.split(self.samples)
        people = [{self.groups[item["video_id"]] for item in part} for part in result]
        assert sorted(map(len, people)) == [1, 1, 3]
        assert len(set().union(*people)) == 5
        assert make_splitter(result.config).validate_split(*result)["is_valid"]

    def test_a_video_without_a_group_is_one_itself_whatever_its_name(self):
        groups = {"v0": "v2", "v1": "v2"}
        result = StratifiedSplitter(SplitConfig(groups=groups)).split(self.samples)
        where = {item["video_id"]: name for name, part in zip(SPLITS, result, strict=True) for item in part}
        assert where["v0"] == where["v1"]
        assert Counter(where.values()).total() == 10
        assert max(Counter(where.values()).values()) <= 8

    def test_a_single_sample_may_be_given_a_group(self):
        groups = {"v0/000003": "odd one", "v1": "odd one"}
        result = StratifiedSplitter(SplitConfig(groups=groups)).split(self.samples)
        where = {item["sample_id"]: name for name, part in zip(SPLITS, result, strict=True) for item in part}
        assert where["v0/000003"] == where["v1/000000"]

    def test_a_mistyped_video_is_refused_because_it_would_leak(self):
        with pytest.raises(SettingsError, match=r"groups\.V0.*expected a video id; found V0"):
            StratifiedSplitter(SplitConfig(groups={"V0": "a"})).split(self.samples)

    def test_too_few_groups(self):
        groups = {f"v{number}": f"person {number // 5}" for number in range(10)}
        with pytest.raises(DataError, match=r"too few groups.*found 2"):
            StratifiedSplitter(SplitConfig(groups=groups)).split(self.samples)

    def test_the_check_finds_a_group_in_two_splits(self):
        splitter = StratifiedSplitter(SplitConfig(groups=self.groups))
        verdict = splitter.validate_split(self.samples[:160], self.samples[160:180], self.samples[180:])
        assert verdict["issues"] == ["1 groups are in more than one split, for example person 4."]

    def test_temporal_cuts_and_groups_do_not(self):
        with pytest.raises(SettingsError, match=r"groups.*temporal"):
            SplitConfig(strategy="temporal", groups=self.groups)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.sets(st.sampled_from("abcd"))), min_size=3, max_size=14),
    st.integers(0, 1000),
    st.randoms(use_true_random=False),
)
def test_whole_videos_are_partitioned_the_same_in_any_order(videos, seed, rng):
    samples = [
        item for number, (frames, labels) in enumerate(videos) for item in video(f"v{number}", frames, labels=labels)
    ]
    splitter = StratifiedSplitter(SplitConfig(by_video=True, seed=seed))
    result = splitter.split(samples)
    found = [[item["sample_id"] for item in part] for part in result]
    assert sorted(itertools.chain.from_iterable(found)) == sorted(item["sample_id"] for item in samples)
    assert all(found)
    names = [{item["video_id"] for item in part} for part in result]
    assert sum(map(len, names)) == len(videos)
    again = splitter.split(rng.sample(samples, len(samples)))
    assert [[item["sample_id"] for item in part] for part in again] == found


def cost(parts, whole):
    """What the finish makes small, in fractions: how far sizes and counts of labels are from what each split wants."""
    sizes = exact_sizes(whole[0], (0.8, 0.1, 0.1))
    found = Fraction(0)
    for part, size in zip(parts, sizes, strict=True):
        for have, all_there in zip(map(sum, zip(*part, strict=True)), whole, strict=True):
            found += (Fraction(have, size) - Fraction(all_there, whole[0])) ** 2
    return found


@settings(max_examples=15)
# From two frames on: videos of a single frame are samples, and are swapped as samples are.
@given(st.lists(st.tuples(st.integers(2, 30), st.sets(st.sampled_from("abc"))), min_size=4, max_size=9))
def test_no_move_and_no_swap_of_whole_videos_would_be_better(videos):
    samples = [
        item for number, (frames, labels) in enumerate(videos) for item in video(f"v{number}", frames, labels=labels)
    ]
    result = StratifiedSplitter(SplitConfig(by_video=True)).split(samples)
    # Size, and the count of each label; samples without any count as a label too.
    vectors = {
        f"v{number}": (frames, *(frames * (label in labels) for label in "abc"), frames * (not labels))
        for number, (frames, labels) in enumerate(videos)
    }
    parts = [[vectors[name] for name in sorted({item["video_id"] for item in part})] for part in result]
    whole = tuple(map(sum, zip(*vectors.values(), strict=True)))
    reached = cost(parts, whole)
    for giver, taker in itertools.permutations(range(3), 2):
        for given_away in range(len(parts[giver])):
            for taken in (None, *range(len(parts[taker]))):
                if taken is None and len(parts[giver]) == 1:
                    continue
                tried = [list(part) for part in parts]
                moved = [tried[giver].pop(given_away)]
                back = [] if taken is None else [tried[taker].pop(taken)]
                tried[taker] += moved
                tried[giver] += back
                assert cost(tried, whole) >= reached


def test_frames_on_the_disk_stay_there():
    frames = FrameStore(Frame("v", number, number / 5, 8, 8, ()) for number in range(200))
    result = split(frames)
    assert all(isinstance(part, FrameView) for part in result)
    assert [part[0].frame_index for part in result] == [0, 154, 182]
