"""One video along its time: its splits, its objects a frame, and a lane for each object with what was found there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2vlm.validation.html_report.axes import Axis, Span, percent, time_axis
from sam2vlm.validation.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sam2vlm.validation.html_report.axes import Tick
    from sam2vlm.validation.html_report.survey import Survey, Video, Visibility
    from sam2vlm.validation.results import Finding, ValidationResults

__all__ = ["MOST_VIDEOS", "Bar", "Lane", "Mark", "SplitBar", "Timeline", "timelines"]

#: Videos that are drawn, those with the most frames; a dataset of single pictures has none worth drawing.
MOST_VIDEOS = 8
#: Objects of a video that have a lane: those with findings first, then the longest seen.
MOST_LANES = 40
#: Bars of the objects a frame.
MOST_BARS = 160
#: A stretch of a lane is shown at least this wide, in percent.
LEAST = 0.3
#: Marks of a lane; on a long video hundreds would lie on each other.
MARK_PLACES = 150
#: Stretches of a lane that are told in words to a screen reader.
TOLD_SPANS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart, all in percent: where it begins, how wide and how high it is."""

    start: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class SplitBar:
    """A piece of the splits' strip, all in percent: where and how large, and of which split."""

    start: float
    width: float
    bottom: float
    height: float
    split: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding in a lane: where, how bad, and what."""

    at: float
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One object.

    Attributes:
        name: ``3 crab``, after its most frequent label.
        others: Its further labels.
        spans: When it is visible.
        marks: What was found about it.
        visible: Share of the video's frames in which it is visible, in percent.
        told: All of it in words.
    """

    name: str
    others: tuple[str, ...]
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    visible: float
    told: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """One video.

    Attributes:
        video_id: Its identity.
        frames: How many.
        ticks: Of its axis.
        in_seconds: Whether the axis is of seconds.
        splits: The strip of the splits, each stretch's shares on top of each other.
        split_frames: Frames by split.
        bars: Objects a frame, the mean of each stretch.
        most: Most objects in one frame.
        mean: Objects a frame.
        lanes: Of the objects, by their id.
        hidden: Objects without a lane.
        gaps: Places at which frames are missing.
    """

    video_id: str
    frames: int
    ticks: tuple[Tick, ...]
    in_seconds: bool
    splits: tuple[SplitBar, ...]
    split_frames: Mapping[str, int]
    bars: tuple[Bar, ...]
    most: int
    mean: float
    lanes: tuple[Lane, ...]
    hidden: int
    gaps: int


def timelines(survey: Survey, results: ValidationResults) -> list[Timeline]:
    """Return the videos to draw, in the order in which they came.

    Args:
        survey: Of all frames.
        results: For the marks in the lanes.
    """
    long = [video for video in survey.videos.values() if len(video.indices) > 1]
    chosen = {video.video_id for video in sorted(long, key=lambda video: -len(video.indices))[:MOST_VIDEOS]}
    marks: dict[str, list[Finding]] = {video_id: [] for video_id in chosen}
    for rule in results.rules:
        for finding in rule.findings:
            if finding.video_id in chosen and finding.frame_index is not None:
                marks[finding.video_id].append(finding)
    return [_timeline(video, marks[video.video_id]) for video in long if video.video_id in chosen]


def _timeline(video: Video, findings: Sequence[Finding]) -> Timeline:
    axis = time_axis(video)
    position = {index: place for place, index in enumerate(video.indices)}
    marked: dict[int, list[Mark]] = {}
    for finding in findings:
        place = position.get(finding.frame_index) if finding.frame_index is not None else None
        if finding.object_id is not None and place is not None:
            mark = Mark(axis.at(place), finding.severity, f"{axis.told(place, place)}: {finding.message}")
            marked.setdefault(finding.object_id, []).append(mark)
    shown = sorted(video.tracks, key=lambda number: (number not in marked, -video.tracks[number].visible, number))
    lanes = [
        _lane(number, video.tracks[number], marked.get(number, ()), axis, len(video.indices))
        for number in sorted(shown[:MOST_LANES])
    ]
    return Timeline(
        video_id=video.video_id,
        frames=len(video.indices),
        ticks=tuple(axis.ticks()),
        in_seconds=axis.unit == "s",
        splits=tuple(_split_bars(video, axis)),
        split_frames={name: video.splits.count(code) for code, name in enumerate(video.split_names)},
        bars=tuple(_bars(video, axis)),
        most=max(video.counts),
        mean=sum(video.counts) / len(video.counts),
        lanes=tuple(lanes),
        hidden=max(len(shown) - MOST_LANES, 0),
        gaps=len(axis.breaks),
    )


def _lane(number: int, track: Visibility, marks: Iterable[Mark], axis: Axis, frames: int) -> Lane:
    spans = [span for first, last in track.intervals for span in axis.spans(first, last, least=LEAST)]
    labels = [label for label, _count in track.labels.most_common()]
    told = [axis.told(first, last) for first, last in track.intervals]
    more = f" and {len(told) - TOLD_SPANS} more times" if len(told) > TOLD_SPANS else ""
    return Lane(
        name=f"{number} {_shown(labels[0])}",
        others=tuple(map(_shown, labels[1:])),
        spans=tuple(_joined(spans)),
        marks=tuple(_thinned(marks)),
        visible=percent(track.visible / frames),
        told=f"visible {', '.join(told[:TOLD_SPANS])}{more}",
    )


def _shown(label: str) -> str:
    return label if label == label.strip() else f'"{label}"'


def _thinned(marks: Iterable[Mark]) -> list[Mark]:
    places: dict[int, Mark] = {}
    for mark in marks:
        place = round(MARK_PLACES * mark.at / 100)
        held = places.get(place)
        if held is None or (held.severity is Severity.WARNING and mark.severity is Severity.ERROR):
            places[place] = mark
    return [places[place] for place in sorted(places)]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join stretches that touch each other as they are shown: a lane never has more than can be seen."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].start + joined[-1].width:
            before = joined[-1]
            end = max(before.start + before.width, span.start + span.width)
            joined[-1] = Span(before.start, round(end - before.start, 3))
        else:
            joined.append(span)
    return joined


def _bars(video: Video, axis: Axis) -> Iterator[Bar]:
    most = max(video.counts) or 1
    for first, last in _stretches(video):
        mean = sum(video.counts[first : last + 1]) / (last + 1 - first)
        yield from (Bar(span.start, span.width, percent(mean / most)) for span in axis.spans(first, last))


def _split_bars(video: Video, axis: Axis) -> Iterator[SplitBar]:
    if not video.splits:
        return
    for first, last in _stretches(video):
        inside = video.splits[first : last + 1]
        bottom = 0.0
        for code, name in enumerate(video.split_names):
            height = percent(inside.count(code) / len(inside))
            if height:
                for span in axis.spans(first, last):
                    yield SplitBar(span.start, span.width, round(bottom, 3), height, name)
                bottom += height


def _stretches(video: Video) -> list[tuple[int, int]]:
    frames = len(video.indices)
    number = min(frames, MOST_BARS)
    return [(place * frames // number, (place + 1) * frames // number - 1) for place in range(number)]
