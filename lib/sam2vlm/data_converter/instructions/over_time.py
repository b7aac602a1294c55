"""Questions about an object along time.

No single picture holds their answer, so they are no rows of the dataset but records of their own: each names the
frames that it is about, and its answer holds for those frames and nothing between them. A model of one picture cannot
learn them; they are for families that take several pictures or a video, and are off by default.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import tracks_of
from sam2vlm.data_converter.instructions.answers import listed
from sam2vlm.data_converter.instructions.picture_tasks import may_be
from sam2vlm.data_converter.instructions.seeded import uniform
from sam2vlm.data_converter.instructions.slots import escaped, filled, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sam2vlm.annotations import Box, Frame, Track
    from sam2vlm.data_converter.instructions.conventions import BoxConvention
    from sam2vlm.data_converter.instructions.mixture import InstructionMix

__all__ = ["MOST_FRAMES", "Place", "VideoQuestion", "video_questions"]

#: Frames that one question is about, evenly spaced; as many pictures fit most families' contexts.
MOST_FRAMES = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is at a time: ``(x, y, w, h)`` in pixels of a frame of that size."""

    timestamp_sec: float
    box: Box
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class VideoQuestion:
    """A question about frames of one video, in its neutral form.

    Attributes:
        video_id: The video.
        frames: Sample ids of the frames that it is about, in time's order.
        times: Their timestamps in seconds.
        task: One of ``VIDEO_TASKS``.
        prompt: The question, without places; braces are doubled.
        language: Of the wording.
        answer: With the place ``{places}`` where boxes are asked for.
        place: The language's words for a time and a box, with the places ``{time}`` and ``{box}``.
        label: The class that it names.
        object_id: The object that it means.
        places: Where the object is, for each frame that shows it.
    """

    video_id: str
    frames: tuple[str, ...]
    times: tuple[float, ...]
    task: str
    prompt: str
    language: str
    answer: str
    place: str
    label: str
    object_id: int
    places: tuple[Place, ...]

    def written(self, boxes: BoxConvention) -> tuple[str, str]:
        """Return question and answer in the words of a family of models."""

        def one(place: Place) -> str:
            region = boxes.format_region(place.box, place.width, place.height)
            return rendered(self.place, {"time": _seconds(place.timestamp_sec), "box": region}.__getitem__)

        return rendered(self.prompt, str), rendered(self.answer, lambda _name: "; ".join(map(one, self.places)))

    def row(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "video_id": self.video_id,
            "frames": list(self.frames),
            "timestamps_sec": list(self.times),
            "task": self.task,
            "prompt": self.prompt,
            "language": self.language,
            "answer": self.answer,
            "place": self.place,
            "label": self.label,
            "object_id": self.object_id,
            "places": [
                {
                    "timestamp_sec": item.timestamp_sec,
                    "bbox": list(item.box),
                    "width": item.width,
                    "height": item.height,
                }
                for item in self.places
            ],
        }


def video_questions(frames: Iterable[Frame], mix: InstructionMix) -> Iterator[VideoQuestion]:
    """Yield every question of the plan's video tasks about one split's frames.

    A track is asked about where its label belongs to no other track of its video, so that the question means one.

    Args:
        frames: In any order; their objects are held in memory.
        mix: Says which tasks, in which language.

    Raises:
        DataError: Two frames of one video have the same index.
    """
    if not mix.video_tasks:
        return
    order = sorted(frames, key=lambda frame: (frame.video_id, frame.frame_index))
    for _video, group in itertools.groupby(order, key=lambda frame: frame.video_id):
        clip = _evenly(list(group), MOST_FRAMES)
        tracks = [track for track in tracks_of(clip) if track.intervals]
        for track in tracks:
            if track.label.strip() and not any(
                other is not track and may_be(label, track.label) for other in tracks for label in other.labels
            ):
                yield from (_question(task, track, clip, mix) for task in mix.video_tasks)


def _question(task: str, track: Track, clip: Sequence[Frame], mix: InstructionMix) -> VideoQuestion:
    sign = f"{track.video_id}/{track.object_id}"
    words = mix.templates.wordings(mix.language, task)
    word = min(words, key=lambda word: uniform(mix.seed, sign, "wording", task, word))
    return VideoQuestion(
        video_id=track.video_id,
        frames=tuple(frame.sample_id for frame in clip),
        times=tuple(frame.timestamp_sec for frame in clip),
        task=task,
        prompt=filled(word, {"label": track.label}),
        language=mix.language,
        answer=_ANSWERS[task](track, mix.phrases),
        place=mix.phrases["place"],
        label=track.label,
        object_id=track.object_id,
        places=tuple(_places(track.object_id, clip)),
    )


def _places(object_id: int, clip: Sequence[Frame]) -> Iterator[Place]:
    for frame in clip:
        for item in frame.objects:
            if item.object_id == object_id and item.bbox is not None:
                yield Place(frame.timestamp_sec, item.bbox, frame.width, frame.height)


def _first_last(track: Track, phrases: Mapping[str, str]) -> str:
    return _span(phrases["first_last"], track.intervals[0].first_sec, track.intervals[-1].last_sec)


def _intervals(track: Track, phrases: Mapping[str, str]) -> str:
    return listed([_span(phrases["interval"], part.first_sec, part.last_sec) for part in track.intervals], phrases)


_ANSWERS: Mapping[str, Callable[[Track, Mapping[str, str]], str]] = {
    "first_last": _first_last,
    "intervals": _intervals,
    "track": lambda _track, _phrases: "{places}",
}


def _span(phrase: str, first: float, last: float) -> str:
    return escaped(rendered(phrase, {"first": _seconds(first), "last": _seconds(last)}.__getitem__))


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _evenly(frames: Sequence[Frame], most: int) -> list[Frame]:
    """Return at most so many frames, evenly spaced, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(place * (len(frames) - 1) / (most - 1))] for place in range(most)]
