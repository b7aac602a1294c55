"""Sixty-four invented kinds of things, each with a body, limbs, marks and colours of its own and a made-up name.

The geometric shapes are told apart by their outlines alone. A user's objects are not: a kind is known by how its
parts sit together, by its pattern, and often by its colours. These kinds teach the tower to keep all of that, and the
language model to name what looks alike. They are nobody's objects, and their names are no words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from pretraining.textures import Colour, Surface, random_colour, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pretraining.shapes import Outline, Points

#: How many there are.
KINDS = 64

_SEED = 20_261_123
_MAIN, _SECOND, _DARK = 0, 1, 2
_DARK_COLOUR = np.array([22, 22, 28], np.float32)
_OVERSAMPLING = 3
# How often a kind has a tail, a head, limbs of the second colour, eyes, and no colours of its own.
_TAILED, _HEADED, _LIMBS_DIFFER, _EYED, _ANY_COLOUR = 0.4, 0.5, 0.5, 0.6, 0.3
# Colours closer than this to the ground's mean (Euclidean, RGB) are avoided where there is a choice.
_CLEAR = 70.0
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Figure:
    """One drawn instance: ``rings`` make its mask, ``layers`` (points, colour) are painted one over the other."""

    rings: Outline
    layers: list[tuple[Points, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """What all instances of a kind share; lengths in the unit frame of the shapes, angles in radians.

    ``waves`` are the body's amplitudes over 2, 3, 4 and 5 lobes, ``limbs`` rows of (angle, length, width, bend) for
    one side, ``colours`` (variants, 2, 3) or nothing where any will do.
    """

    name: str
    waves: NDArray[np.float64]
    aspect: float
    limbs: NDArray[np.float64]
    limb_colour: int
    tail: tuple[float, float] | None
    head: tuple[float, float] | None
    eyes: bool
    pattern: int
    colours: NDArray[np.float32] | None
    turns: float


def _name(rng: np.random.Generator, taken: set[str]) -> str:
    while True:
        name = "".join(str(rng.choice(list(letters))) for letters in (_CONSONANTS, _VOWELS) * 2)
        if name not in taken:
            taken.add(name)
            return name


def _make_kind(rng: np.random.Generator, taken: set[str]) -> Kind:
    pairs = int(rng.choice(6, p=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1)))
    angles = np.sort(rng.uniform(0.35, np.pi - 0.3, pairs))
    limb = np.array([rng.uniform(0.3, 0.9), rng.uniform(0.09, 0.24), rng.uniform(-0.7, 0.7)])
    limbs = np.array([[angle, *(limb * [rng.uniform(0.7, 1.3), 1.0, 1.0])] for angle in angles]).reshape(pairs, 4)
    colours = np.stack([[random_colour(rng), random_colour(rng)] for _ in range(int(rng.integers(1, 4)))])
    return Kind(
        name=_name(rng, taken),
        waves=rng.normal(0, (0.16, 0.12, 0.08, 0.07)),
        aspect=rng.uniform(0.42, 1.0),
        limbs=limbs,
        limb_colour=_SECOND if rng.random() < _LIMBS_DIFFER else _MAIN,
        tail=(rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.5)) if rng.random() < _TAILED else None,
        head=(rng.uniform(0.18, 0.36), rng.uniform(0.9, 1.15)) if rng.random() < _HEADED else None,
        eyes=bool(rng.random() < _EYED),
        pattern=int(rng.integers(len(_PATTERNS) + 1)),
        colours=None if rng.random() < _ANY_COLOUR else colours,
        turns=float(rng.choice((0.35, np.pi))),
    )


def _ellipse(x: float, y: float, across: float, along: float) -> Points:
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.stack([x + across * np.cos(t), y + along * np.sin(t)], axis=1)


def _body(kind: Kind, rng: np.random.Generator) -> Points:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    waves = kind.waves * rng.uniform(0.8, 1.2, 4)
    radius = 1 + sum(wave * np.cos((number + 2) * t) for number, wave in enumerate(waves))
    return np.stack([radius * np.cos(t), radius * np.sin(t) * kind.aspect * rng.uniform(0.92, 1.08)], axis=1)


def _limb(row: NDArray[np.float64], aspect: float, swing: float, side: int) -> Points:
    """A bent, tapering strip (6, 2) that leaves the body at the row's angle, on the left (-1) or on the right (1)."""
    angle, length, width, bend = row
    root = np.array([0.8 * np.cos(angle), 0.8 * np.sin(angle) * aspect])
    knee_turn, foot_turn = angle + swing, angle + swing + bend
    knee = root + length * 0.55 * np.array([np.cos(knee_turn), np.sin(knee_turn)])
    foot = knee + length * 0.55 * np.array([np.cos(foot_turn), np.sin(foot_turn)])
    across = np.array([-np.sin(knee_turn), np.cos(knee_turn)])
    half = width / 2
    strip = np.array([root + across * half, knee + across * half, foot + across * half * 0.6,
                      foot - across * half * 0.6, knee - across * half, root - across * half])  # fmt: skip
    mirrored: Points = strip * [1.0, float(side)]
    return mirrored


def _stripes(aspect: float) -> list[Points]:
    return [np.array([[x, -aspect], [x + 0.16, -aspect], [x + 0.16, aspect], [x, aspect]]) for x in (-0.6, -0.15, 0.3)]


def _spots(aspect: float) -> list[Points]:
    return [_ellipse(x, y * aspect, 0.13, 0.13) for x, y in ((-0.5, 0.2), (0.0, -0.4), (0.45, 0.25), (-0.1, 0.35))]


def _belly(aspect: float) -> list[Points]:
    return [_ellipse(0.0, 0.0, 0.6, 0.5 * aspect)]


def _band(aspect: float) -> list[Points]:
    return [np.array([[-0.75, -0.15], [0.75, -0.15], [0.75, 0.15], [-0.75, 0.15]]) * [1.0, aspect]]


def _half(aspect: float) -> list[Points]:
    return [_ellipse(0.5, 0.0, 0.42, 0.6 * aspect)]


_PATTERNS = (_stripes, _spots, _belly, _band, _half)


def draw_kind(kind: Kind, rng: np.random.Generator) -> Figure:
    """One instance: swinging limbs, slightly other proportions, turned and at times mirrored."""
    body = _body(kind, rng)
    parts: list[tuple[Points, int]] = []
    swing = rng.normal(0, 0.2, 2)
    parts += [
        (_limb(row, kind.aspect, swing[int(side > 0)] * (-1) ** number, side), kind.limb_colour)
        for number, row in enumerate(kind.limbs)
        for side in (-1, 1)
    ]
    if kind.tail is not None:
        reach, spread = kind.tail
        wag = rng.normal(0, 0.1)
        parts.append((np.array([[-0.75, 0.0], [-1 - reach, wag - spread], [-1 - reach, wag + spread]]), _SECOND))
    parts.append((body, _MAIN))
    if kind.head is not None:
        parts.append((_ellipse(kind.head[1], 0.0, kind.head[0], kind.head[0]), kind.limb_colour))
    marks: list[tuple[Points, int]] = []
    if kind.pattern < len(_PATTERNS):
        marks += [(mark * 0.85, _SECOND) for mark in _PATTERNS[kind.pattern](kind.aspect)]
    if kind.eyes:
        front = 0.55 if kind.head is None else kind.head[1]
        marks += [(_ellipse(front, side * 0.16, 0.09, 0.09), _DARK) for side in (-1, 1)]
    angle = rng.uniform(-kind.turns, kind.turns)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flip = np.array([float(rng.choice((-1, 1))), 1.0])

    def placed(points: Points) -> Points:
        moved: Points = (points * flip) @ turn
        return moved

    layers = [(placed(points), colour) for points, colour in parts + marks]
    return Figure([(points, True) for points, _ in layers[: len(parts)]], layers)


def paint_kind(
    kind: Kind, rng: np.random.Generator, figure: Figure, *, scale: float, side: int, behind: Colour
) -> Surface:
    """The instance's surface (side, side, 3), one unit being ``scale`` pixels; uneven, as real things are."""
    main, second = _colours(kind, rng, behind)
    large = Image.new("RGB", (side * _OVERSAMPLING,) * 2, _rgb(main))
    draw = ImageDraw.Draw(large)
    inks = (_rgb(main), _rgb(second), _rgb(_DARK_COLOUR))
    for points, colour in figure.layers:
        draw.polygon((points * (scale * _OVERSAMPLING) + side * _OVERSAMPLING / 2).ravel().tolist(), inks[colour])
    painted = np.asarray(large.reduce(_OVERSAMPLING), dtype=np.float32)
    return painted + np.float32(rng.uniform(0, 0.25)) * (smooth_noise(rng, side, side) - 128)


def _colours(kind: Kind, rng: np.random.Generator, behind: Colour) -> tuple[Colour, Colour]:
    """The colours of a variant, shifted a little; the first of three draws that stands out from the ground."""
    main, second = behind, behind
    for _ in range(3):
        if kind.colours is None:
            main, second = random_colour(rng), random_colour(rng)
        else:
            main, second = kind.colours[int(rng.integers(len(kind.colours)))] + rng.normal(0, 14, 3).astype(np.float32)
        if float(np.linalg.norm(main - behind)) >= _CLEAR:
            break
    return main, second


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour, 0, 255).astype(int).tolist()
    return red, green, blue


def _all_kinds() -> tuple[Kind, ...]:
    taken: set[str] = set()
    return tuple(_make_kind(np.random.default_rng([_SEED, number]), taken) for number in range(KINDS))


#: The kinds, the same in every run.
ALL_KINDS: tuple[Kind, ...] = _all_kinds()
