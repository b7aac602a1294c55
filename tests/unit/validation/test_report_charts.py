"""What the report's charts are drawn from: counted by hand, and against NumPy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.validation.html_report.axes import time_axis
from sam2vlm.validation.html_report.size_chart import _quantile, size_chart
from sam2vlm.validation.html_report.survey import (
    NAMELESS,
    NO_SPLIT,
    SIZE_BINS,
    Video,
    size_bin,
    size_of_edge,
    survey_frames,
)
from sam2vlm.validation.html_report.timeline import MOST_BARS, MOST_LANES, MOST_VIDEOS, timelines
from sam2vlm.validation.results import Finding, RuleResult, Severity, ValidationResults


def findings(*found):
    rule = RuleResult("check", Severity.ERROR, 1, "frames", found, "", "")
    return ValidationResults((rule,), frames=1, objects=1, visible_objects=1)


def test_one_pass_counts_labels_tracks_and_splits(made):
    frames = [
        made.frame(0, made.thing(), made.thing(object_id=2, label="fish"), made.absent(object_id=3)),
        made.frame(1, made.absent()),
        made.frame(2, made.thing(), made.thing(object_id=4, label=" "), made.thing(object_id=5)),
        made.frame(0, made.thing(label="fish"), video_id="w"),
    ]
    survey = survey_frames(iter(frames), splits={("v", 0): "train", ("w", 0): "val"}, keep={("v", 2), ("x", 9)})
    assert survey.frames == 4
    rows = {label: (row.objects, row.frames, row.tracks) for label, row in survey.labels.items()}
    assert rows == {"crab": (3, 2, 2), "fish": (2, 2, 2), NAMELESS: (1, 1, 1)}
    assert list(survey.labels) == ["crab", "fish", NAMELESS]
    assert survey.labels["crab"].splits == {"train": 1, NO_SPLIT: 2}
    assert survey.kept == {("v", 2): frames[2]}
    video = survey.videos["v"]
    assert video.tracks[1].intervals == [(0, 0), (2, 2)]
    assert video.tracks[2].intervals == [(0, 0)]
    assert 3 not in video.tracks
    assert list(video.counts) == [2, 0, 3]


def video(times, indices=None):
    made = Video("v")
    for place, time in enumerate(times):
        made.indices.append(indices[place] if indices else place)
        made.times.append(time)
        made.counts.append(1)
    return made


def test_an_axis_is_of_seconds_where_they_grow_and_shows_missing_frames():
    axis = time_axis(video([0.0, 0.5, 1.0, 3.0, 3.5]))
    assert axis.unit == "s"
    assert axis.length == 4.0
    assert list(axis.breaks) == [2]
    assert [(span.start, span.width) for span in axis.spans(1, 4)] == [(12.5, 25.0), (75.0, 25.0)]
    assert axis.at(0) == 6.25
    assert axis.told(1, 2) == "0.50 to 1.00 s"
    assert [tick.text for tick in axis.ticks()] == ["0 s", "1 s", "2 s", "3 s", "4 s"]


@pytest.mark.parametrize(
    ("times", "indices", "unit", "length"),
    [
        ([0.0, 0.0, 0.0], [4, 6, 8], "frame", 6),
        ([0.0, 2.0, 1.0], [4, 4, 5], "frame", 3),
        ([1.0], [7], "frame", 1),
    ],
)
def test_an_axis_without_usable_times_counts_frames(times, indices, unit, length):
    axis = time_axis(video(times, indices))
    assert (axis.unit, axis.length) == (unit, length)
    assert axis.spans(0, len(times) - 1)[0].start == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=40), st.data())
def test_nothing_leaves_an_axis(steps, data):
    axis = time_axis(video(np.cumsum(steps).tolist()))
    first = data.draw(st.integers(0, len(steps) - 1))
    last = data.draw(st.integers(first, len(steps) - 1))
    for span in axis.spans(first, last, least=0.3):
        assert span.start >= -1e-6
        assert span.start + span.width <= 100 + 1e-6
        assert span.width >= 0.3
    assert len(axis.spans(first, last)) == 1 + sum(first <= place < last for place in axis.breaks)
    assert 0 <= axis.at(last) <= 100
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12 or len(steps) == 1
    assert all(-1e-6 <= tick.at <= 100 for tick in ticks)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0011, 99), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_is_right_to_a_bin(sizes, share):
    bins = np.bincount([size_bin(size) for size in sizes], minlength=SIZE_BINS).tolist()
    exact = float(np.quantile(sizes, share, method="inverted_cdf"))
    assert abs(_quantile(bins, share) - (math.log10(exact) + 3) * 10) <= 1 + 1e-9


def test_bins_hold_what_their_edges_say():
    assert size_of_edge(0) == pytest.approx(0.001)
    assert size_of_edge(SIZE_BINS) == pytest.approx(100)
    for place in range(SIZE_BINS):
        assert size_bin(size_of_edge(place + 0.5)) == place
    assert (size_bin(0.0), size_bin(1e-9), size_bin(100.0), size_bin(250.0)) == (0, 0, SIZE_BINS - 1, SIZE_BINS - 1)


def test_the_size_chart_ends_on_powers_of_ten(made):
    # 80 of 1,200 pixels are 6.7 %.
    chart = size_chart(survey_frames([made.frame(0, made.thing())]))
    assert [tick.text for tick in chart.ticks] == ["1 %", "10 %"]
    assert [(bar.width, bar.height) for bar in chart.bars] == [(10.0, 100.0)]
    assert chart.told == "6.3 to 7.9 % of the frame's area, median 7.1 %"
    assert size_chart(survey_frames([made.frame(0)])) is None


def test_a_lane_has_the_intervals_and_the_findings_of_its_object(made):
    frames = [made.frame(number, *([made.thing()] if number not in (4, 5) else [])) for number in range(10)]
    found = findings(
        Finding("swapped", Severity.ERROR, "v", 8, 1),
        Finding("flickers", Severity.WARNING, "v", 3, 1),
        Finding("elsewhere", Severity.ERROR, "v", 3, 2),
        Finding("of the frame", Severity.ERROR, "v", 3),
    )
    (shown,) = timelines(survey_frames(frames), found)
    (lane,) = shown.lanes
    assert lane.name == "1 crab"
    assert [(span.start, span.width) for span in lane.spans] == [(0.0, 40.0), (60.0, 40.0)]
    assert [(mark.at, mark.severity, mark.text) for mark in lane.marks] == [
        (35.0, Severity.WARNING, "0.30 s: flickers"),
        (85.0, Severity.ERROR, "0.80 s: swapped"),
    ]
    assert lane.visible == 80.0
    assert lane.told == "visible 0.00 to 0.30 s, 0.60 to 0.90 s"
    assert [bar.height for bar in shown.bars] == [100.0] * 4 + [0.0] * 2 + [100.0] * 4


def test_splits_lie_on_top_of_each_other_where_they_alternate(made):
    frames = [made.frame(number, made.thing()) for number in range(4 * MOST_BARS)]
    names = {("v", number): "train" if number % 4 else "val" for number in range(4 * MOST_BARS)}
    (shown,) = timelines(survey_frames(frames, splits=names), findings())
    assert shown.split_frames == {"val": MOST_BARS, "train": 3 * MOST_BARS}
    assert len(shown.splits) == 2 * MOST_BARS
    assert {(bar.split, bar.bottom, bar.height) for bar in shown.splits} == {("val", 0.0, 25.0), ("train", 25.0, 75.0)}


def test_what_is_drawn_is_bounded(made):
    frames = [
        made.frame(number, *(made.thing(object_id=count) for count in range(MOST_LANES + 5)), video_id=name)
        for name in map(str, range(MOST_VIDEOS + 3))
        for number in range(3 + (name == "10"))
    ]
    found = findings(Finding("odd", Severity.ERROR, "10", 1, MOST_LANES + 4))
    shown = timelines(survey_frames(frames), found)
    assert [video.video_id for video in shown] == [*map(str, range(MOST_VIDEOS - 1)), "10"]
    assert {len(video.lanes) for video in shown} == {MOST_LANES}
    assert {video.hidden for video in shown} == {5}
    assert shown[-1].lanes[-1].name == f"{MOST_LANES + 4} crab", "one with findings has a lane"
    flickering = [made.frame(number, *([made.thing()] if number % 2 else [])) for number in range(4000)]
    (lane,) = timelines(survey_frames(flickering), findings())[0].lanes
    assert len(lane.spans) < 400
