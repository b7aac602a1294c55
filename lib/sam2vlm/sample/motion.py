"""When each object is in the picture and where: it comes in, moves on a smooth path, leaves, and comes back later.

Times are seconds, places are pixels of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.sample.seeding import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Stage", "Track", "Visit", "plan_visits"]

_MOST_LANES = 4  # as many objects are in the picture at once, and one more while two change places
_LONGEST_VISIT_S = 7.0
_RAMP_SHARE = 0.22  # of a visit, for coming in from outside and again for leaving
_STAYS = (0.75, 1.25)  # times the usual length
_PAUSES = (0.55, 1.7)  # likewise; the shortest leaves time to go out and to come in
_CANDIDATES = 8


@dataclass(frozen=True)
class Track:
    """One object of the session.

    Attributes:
        object_id: 0, 1, …
        label: Its class.
        size: Its longest extent in pixels.
        variant: Which of its class's colours it has.
    """

    object_id: int
    label: str
    size: float
    variant: int = 0


@dataclass(frozen=True)
class Stage:
    """Where and when the visits take place.

    Attributes:
        width: Of the frame, pixels.
        height: Of the frame, pixels.
        begin: Seconds.
        end: Seconds.
        secluded: Whether everything has left the picture again at the end, and nothing is there at the beginning.
    """

    width: int
    height: int
    begin: float
    end: float
    secluded: bool = False


@dataclass(frozen=True)
class Visit:
    """One object's stay in the picture.

    Attributes:
        track: Whose.
        times: Of the knots, (n,); the object's middle is inside the frame from the second to the last but one.
        knots: Places (n, 2), x and y.
        depth: 0-1; what is nearer (larger) hides what is farther.
        turn: Degrees added to the object's own turning.
        pace: Movements of legs and fins a second.
    """

    track: Track
    times: NDArray[np.float64]
    knots: NDArray[np.float64]
    depth: float
    turn: float
    pace: float

    @property
    def begin(self) -> float:
        """The second at which it starts to come in."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """The second at which it is gone."""
        return float(self.times[-1])

    def place(self, second: float) -> NDArray[np.float64]:
        """Return (x, y) at a moment, on a Catmull-Rom curve through the knots."""
        last = len(self.times) - 2
        piece = int(np.clip(np.searchsorted(self.times, second, side="right") - 1, 0, last))
        before, here = self.knots[max(piece - 1, 0)], self.knots[piece]
        there, after = self.knots[piece + 1], self.knots[min(piece + 2, last + 1)]
        share = (second - self.times[piece]) / (self.times[piece + 1] - self.times[piece])
        curve: NDArray[np.float64] = 0.5 * (
            2 * here
            + (there - before) * share
            + (2 * before - 5 * here + 4 * there - after) * share**2
            + (3 * here - before - 3 * there + after) * share**3
        )
        return curve

    def velocity(self, second: float) -> NDArray[np.float64]:
        """Return pixels a second, as (x, y)."""
        step = 0.05
        return (self.place(min(second + step, self.end)) - self.place(max(second - step, self.begin))) / (2 * step)


def plan_visits(tracks: Sequence[Track], stage: Stage, seed: int) -> list[Visit]:
    """Plan who is in the picture when.

    The visits lie in lanes. In the first lane one follows the other without a gap, so some object is always in
    the picture; in the others there are pauses. An object is in one lane at a time, and whoever was seen least
    comes next.

    Args:
        tracks: All objects.
        stage: Where and when.
        seed: The sample's seed.
    """
    if len(tracks) == 1 and not stage.secluded:
        return [_visit(tracks[0], stage, (stage.begin - 1.0, stage.end + 1.0), [], stream(seed, "visits", 0))]
    visits: list[Visit] = []
    for lane in range(min(_MOST_LANES, len(tracks))):
        visits += _fill_lane(lane, tracks, stage, visits, stream(seed, "visits", stage.begin, lane))
    return visits


def _usual_length(tracks: int, stage: Stage) -> float:
    """Return how long a visit usually takes: so short that everyone appears, also in a short video."""
    duration = stage.end - stage.begin
    return float(min(_LONGEST_VISIT_S, max(2.2 * duration / tracks, 0.2 * duration)))


def _fill_lane(
    lane: int, tracks: Sequence[Track], stage: Stage, others: list[Visit], rng: np.random.Generator
) -> list[Visit]:
    found: list[Visit] = []
    length = _usual_length(len(tracks), stage)
    enter = stage.begin if lane == 0 else stage.begin + float(rng.uniform(-0.5, 0.6)) * length
    ramp = _RAMP_SHARE * _STAYS[1] * length  # of the longest stay
    if stage.secluded:
        enter = max(enter, stage.begin) + ramp
    while enter < stage.end:
        leave = enter + length * float(rng.uniform(*_STAYS))
        if stage.secluded:
            leave = min(leave, stage.end - ramp)
        if leave - enter < ramp / 2:
            break
        track = _next_track(tracks, others + found, (enter - ramp, leave + ramp), rng)
        if track is not None:
            found.append(_visit(track, stage, (enter, leave), others + found, rng))
        # In the first lane the next one is in before the one before it leaves.
        enter = leave + length * (-0.05 if lane == 0 else float(rng.uniform(*_PAUSES)))
    return found


def _next_track(
    tracks: Sequence[Track], visits: list[Visit], span: tuple[float, float], rng: np.random.Generator
) -> Track | None:
    """Return the object that was seen least among those that are away during the whole span."""
    seen = dict.fromkeys((track.object_id for track in tracks), 0.0)
    busy = set()
    for visit in visits:
        seen[visit.track.object_id] += visit.end - visit.begin
        if visit.begin < span[1] and visit.end > span[0]:
            busy.add(visit.track.object_id)
    free = [track for track in tracks if track.object_id not in busy]
    draw = rng.random(len(tracks))
    return min(free, key=lambda track: (seen[track.object_id], draw[track.object_id]), default=None)


def _visit(
    track: Track, stage: Stage, inside: tuple[float, float], others: list[Visit], rng: np.random.Generator
) -> Visit:
    enter, leave = inside
    ramp = _RAMP_SHARE * (leave - enter)
    times = np.linspace(enter, leave, 2 + int((leave - enter) / 2.5))
    knots = _inner_knots(times, stage, others, rng)
    first = _outside(knots[0], track.size, stage, rng)
    final = _outside(knots[-1], track.size, stage, rng)
    return Visit(
        track=track,
        times=np.concatenate([[enter - ramp], times, [leave + ramp]]),
        knots=np.concatenate([[first], knots, [final]]),
        depth=float(rng.random()),
        turn=float(rng.uniform(-1.0, 1.0)),
        pace=float(rng.uniform(0.6, 1.1)),
    )


def _inner_knots(
    times: NDArray[np.float64], stage: Stage, others: list[Visit], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Choose places that keep some distance from the others and from leaping across the picture."""
    scale = np.array([stage.width, stage.height], dtype=np.float64)
    knots: list[NDArray[np.float64]] = []
    for time in times:
        near = [visit.place(time) for visit in others if visit.begin <= time <= visit.end]
        candidates = rng.uniform((0.15, 0.2), (0.85, 0.8), (_CANDIDATES, 2)) * scale
        scores = [_score(candidate, near, knots[-1:], stage.width) for candidate in candidates]
        knots.append(candidates[int(np.argmax(scores))])
    return np.array(knots)


def _score(
    place: NDArray[np.float64], near: list[NDArray[np.float64]], before: list[NDArray[np.float64]], width: int
) -> float:
    room = min((float(np.hypot(*(place - other))) for other in near), default=width / 2)
    leap = sum(float(np.hypot(*(place - other))) for other in before)
    # Beyond 0.3 of the width more room is worth nothing: objects shall meet and hide each other now and then.
    return min(room, 0.3 * width) - 0.35 * leap


def _outside(place: NDArray[np.float64], size: float, stage: Stage, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a place outside of the frame from which ``place`` is reached across a near edge."""
    edge_x = 0.0 if place[0] < stage.width / 2 else float(stage.width)
    edge_y = 0.0 if place[1] < stage.height / 2 else float(stage.height)
    beyond = 0.75 * size
    if rng.random() < 0.65:  # noqa: PLR2004  most come from the sides, as in a wide picture
        return np.array([edge_x + np.copysign(beyond, edge_x - 1), place[1] + rng.uniform(-0.3, 0.3) * size])
    return np.array([place[0] + rng.uniform(-0.3, 0.3) * size, edge_y + np.copysign(beyond, edge_y - 1)])
