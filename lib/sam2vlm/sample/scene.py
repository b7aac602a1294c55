"""The synthetic video: its objects, its ground, and what it looks like at any moment."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

from sam2vlm.errors import SettingsError
from sam2vlm.sample.motion import Stage, Track, Visit, plan_visits
from sam2vlm.sample.seeding import stream
from sam2vlm.sample.textures import GROUNDS, caustics, ground
from sam2vlm.sample.things import THINGS, draw_thing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Scene", "View", "make_scene"]

_PHASES = 6
_SIZES = (0.29, 0.46)  # longest extent of an object, as a share of the frame's shorter side
_MARGIN = 0.35  # how much larger than the frame the ground is; the camera pans over it
_SEEN_SHARE = 0.1  # of its own area; below that SAM 2's tracker has lost the object, and so has this
_OPAQUE = 110  # alpha from which a pixel belongs to the object: tentacles are a little translucent
_QUIET_EVERY_S, _QUIET_S = 9.0, 1.6
_HALVED = [value // 2 for value in range(256)]
_SOLID = [255 if alpha >= _OPAQUE else 0 for alpha in range(256)]


@dataclass(frozen=True)
class View:
    """What the camera sees at one moment.

    Attributes:
        picture: RGB, of the frame's size.
        owners: Grey picture of the frame's size: 0 for the ground, ``k + 1`` where ``visible[k]`` is in front.
        visible: The tracks that can be seen, in the order of their object_id.
    """

    picture: Image.Image
    owners: Image.Image
    visible: tuple[Track, ...]


@dataclass(frozen=True)
class Scene:
    """A video that can be looked at from any thread at any moment."""

    width: int
    height: int
    seed: int
    tracks: tuple[Track, ...]
    visits: tuple[Visit, ...]
    _ground: Image.Image = field(repr=False)
    _nets: tuple[Image.Image, Image.Image] = field(repr=False)

    def look(self, second: float) -> View:
        """Render one moment."""
        picture = self._ground_at(second)
        drawn = [visit for visit in self.visits if visit.begin < second < visit.end]
        drawn.sort(key=lambda visit: (visit.depth, visit.track.object_id))
        owners = Image.new("L", (self.width, self.height))
        whole = [self._paint(picture, owners, visit, second, number + 1) for number, visit in enumerate(drawn)]
        return self._view(picture, owners, [visit.track for visit in drawn], whole)

    def _view(self, picture: Image.Image, owners: Image.Image, tracks: list[Track], whole: list[int]) -> View:
        """Renumber the owners by object_id and leave out who is as good as hidden."""
        seen = owners.histogram()
        rows = range(len(tracks))
        kept = [row for row in rows if seen[row + 1] > 0 and seen[row + 1] >= _SEEN_SHARE * whole[row]]
        kept.sort(key=lambda row: tracks[row].object_id)
        table = [0] * 256
        for slot, row in enumerate(kept):
            table[row + 1] = slot + 1
        return View(picture, owners.point(table), tuple(tracks[row] for row in kept))

    def _ground_at(self, second: float) -> Image.Image:
        """Cut the frame out of the panning ground, with the light that the waves make of it."""
        frame = self._ground.crop(self._window(self._ground, 0.061, 0.043, second))
        one, other = (
            net.crop(self._window(net, 0.11 * (k + 1), 0.07 * (2 - k), second)) for k, net in enumerate(self._nets)
        )
        glow = ImageChops.darker(one, other).point(_HALVED)
        gain = 0.94 + 0.08 * float(np.sin(second * 0.31 + self.seed % 7))
        return ImageChops.add(frame, Image.merge("RGB", (glow, glow, glow)), scale=1 / gain)

    def _window(self, canvas: Image.Image, slow: float, slower: float, second: float) -> tuple[int, int, int, int]:
        """Return the frame's box on a larger canvas: it sweeps to and fro in x and in y."""
        room_x, room_y = canvas.width - self.width, canvas.height - self.height
        left = round(room_x * (0.5 + 0.5 * float(np.sin(second * slow * 2 * np.pi + self.seed))))
        top = round(room_y * (0.5 + 0.5 * float(np.sin(second * slower * 2 * np.pi + 1.0))))
        return left, top, left + self.width, top + self.height

    def _paint(self, picture: Image.Image, owners: Image.Image, visit: Visit, second: float, number: int) -> int:
        """Paint one object over what is there; return its whole area in pixels, hidden or not."""
        breath = 1.0 + 0.08 * float(np.sin(second * 0.9 + visit.turn * 3))
        size = visit.track.size * breath
        phase = int(second * visit.pace * _PHASES) % _PHASES
        angle, mirrored = _attitude(visit, second)
        sprite = self._sprite(visit.track.object_id, phase, small=size < self._sprite_side() * 0.5)
        patch, corner = _placed(sprite, visit.place(second), size, angle, mirrored=mirrored)
        solid = patch.getchannel("A").point(_SOLID)
        picture.paste(patch, corner, patch)
        owners.paste(number, corner, solid)
        return int(solid.histogram()[255])

    def _sprite_side(self) -> int:
        """Sprites are as large as the largest object, in steps of 64 pixels."""
        largest = _SIZES[1] * min(self.width, self.height) * 1.1
        return int(np.clip(np.ceil(largest / 64) * 64, 64, 1024))

    @functools.lru_cache(maxsize=256)  # noqa: B019  scenes are few and the cache is bounded
    def _sprite(self, object_id: int, phase: int, *, small: bool) -> Image.Image:
        track = self.tracks[object_id]
        side = self._sprite_side() // (2 if small else 1)
        rng = stream(self.seed, "thing", object_id)
        return draw_thing(track.label, side, rng, variant=track.variant, phase=phase / _PHASES)

    def __hash__(self) -> int:
        return id(self)


def make_scene(
    *, width: int, height: int, objects: int, duration: float, seed: int, classes: Sequence[str], quiet: bool = False
) -> Scene:
    """Plan a video.

    Args:
        width: Pixels.
        height: Pixels.
        objects: How many tracks.
        duration: Seconds.
        seed: Two scenes of the same arguments are equal.
        classes: Labels from :data:`sam2vlm.sample.things.THINGS`; tracks take them in turn.
        quiet: Whether all objects leave the picture every nine seconds, for 1.6 seconds.

    Raises:
        SettingsError: A class that nobody can draw.
    """
    for label in classes:
        if label not in THINGS:
            raise SettingsError("cannot be drawn", field="classes", expected=f"one of {', '.join(THINGS)}", found=label)
    rng = stream(seed, "tracks")
    scale = min(height, width)
    tracks = tuple(
        Track(number, classes[number % len(classes)], float(rng.uniform(*_SIZES)) * scale, number // len(classes))
        for number in range(objects)
    )
    stages = _stages(width, height, duration, quiet=quiet)
    visits = [visit for stage in stages for visit in plan_visits(tracks, stage, seed)]
    large = (round(width * (1 + _MARGIN)), round(height * (1 + _MARGIN)))
    name = sorted(GROUNDS)[int(stream(seed, "ground").integers(len(GROUNDS)))]
    nets = [caustics(large, stream(seed, "caustics", number)) for number in range(2)]
    floor = ground(name, large, stream(seed, "ground", name))
    return Scene(width, height, seed, tracks, tuple(visits), floor, (nets[0], nets[1]))


def _stages(width: int, height: int, duration: float, *, quiet: bool) -> list[Stage]:
    if not quiet:
        return [Stage(width, height, 0.0, duration)]
    # At least two scenes with a pause between them, however short the video is.
    every = min(_QUIET_EVERY_S, duration * 0.6)
    pause = min(_QUIET_S, every * 0.4)
    begins = np.arange(0.0, duration, every)
    return [Stage(width, height, float(begin), float(begin + every - pause), secluded=True) for begin in begins]


def _attitude(visit: Visit, second: float) -> tuple[float, bool]:
    """Return the turn in degrees (clockwise, as y points down) and whether the object is mirrored."""
    thing = THINGS[visit.track.label]
    sway = thing.sway * float(np.sin(second * 1.3 + visit.turn * 9))
    speed = visit.velocity(second)
    if thing.turns == "side":
        mirrored = bool(speed[0] < 0)
        slope = float(np.degrees(np.arctan2(speed[1], abs(speed[0]) + 30.0)))
        return (np.clip(slope, -28, 28) * (-1 if mirrored else 1) + sway * 0.4, mirrored)
    if thing.turns == "heading":
        return float(np.degrees(np.arctan2(speed[1], speed[0]))) + sway, False
    if thing.turns == "tumble":
        return visit.turn * 180.0 + (second - visit.begin) * 25.0 * np.copysign(1.0, visit.turn) + sway * 0.3, False
    return visit.turn * thing.sway + sway, visit.turn > 0


def _placed(
    sprite: Image.Image, place: NDArray[np.float64], size: float, angle: float, *, mirrored: bool
) -> tuple[Image.Image, tuple[int, int]]:
    """Turn and scale a sprite; return the patch and its left upper corner on the frame."""
    cos, sin = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
    half = size / 2 * (abs(cos) + abs(sin)) + 1
    left, top = int(np.floor(place[0] - half)), int(np.floor(place[1] - half))
    side = int(np.ceil(2 * half)) + 1
    scale = sprite.width / size
    dx, dy = left - place[0], top - place[1]
    flip = -1.0 if mirrored else 1.0
    middle = sprite.width / 2
    # Image.transform wants the way back: from the patch's pixel to the sprite's.
    matrix = (
        flip * scale * cos, flip * scale * sin, flip * scale * (cos * dx + sin * dy) + middle,
        -scale * sin, scale * cos, scale * (cos * dy - sin * dx) + middle,
    )  # fmt: skip
    patch = sprite.transform((side, side), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR)
    return patch, (left, top)
