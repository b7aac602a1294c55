"""Outlines of the generic shapes, as polygons in a unit frame.

An outline is a list of rings ``(points, filled)`` drawn one over the other: ``points`` is a float array (n, 2) in the
order x, y within about -1..1 (y down, as in a picture), and a ring with ``filled`` false cuts a hole. What a shape is
called really is what it looks like: sizes, proportions and turns are drawn at random only as far as the word allows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Outline = list[tuple[Points, bool]]
Drawer = Callable[[np.random.Generator], Outline]


# How often a rectangle lies.
_LYING = 0.5


def _regular(corners: int, phase: float = 0.0) -> Points:
    angles = phase + np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _turn(points: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = points @ np.array([[cos, sin], [-sin, cos]])
    return turned


def _tilted(points: Points, rng: np.random.Generator, most: float) -> Outline:
    """The polygon turned by a random angle of at most ``most`` radians either way."""
    return [(_turn(points, rng.uniform(-most, most)), True)]


def _circle(_: np.random.Generator) -> Outline:
    return [(_regular(40), True)]


def _oval(rng: np.random.Generator) -> Outline:
    return _tilted(_regular(40) * [1.0, rng.uniform(0.45, 0.7)], rng, np.pi)


def _square(rng: np.random.Generator) -> Outline:
    return _tilted(_regular(4, np.pi / 4), rng, 0.3)


def _rectangle(rng: np.random.Generator) -> Outline:
    sides = np.array([1.0, rng.uniform(0.35, 0.65)])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (sides if rng.random() < _LYING else sides[::-1])
    return _tilted(corners, rng, 0.3)


def _triangle(rng: np.random.Generator) -> Outline:
    return _tilted(_regular(3, -np.pi / 2) * [rng.uniform(0.75, 1.25), 1.0], rng, np.pi)


def _star(rng: np.random.Generator) -> Outline:
    corners = int(rng.integers(5, 7))
    points = _regular(2 * corners, -np.pi / 2)
    points[1::2] *= rng.uniform(0.38, 0.5)
    return _tilted(points, rng, np.pi)


def _cross(rng: np.random.Generator) -> Outline:
    arm = rng.uniform(0.22, 0.38)
    quarter = np.array([[arm, -arm], [1.0, -arm], [1.0, arm]])
    return _tilted(np.concatenate([_turn(quarter, k * np.pi / 2) for k in range(4)]), rng, np.pi)


def _diamond(rng: np.random.Generator) -> Outline:
    return _tilted(_regular(4) * [rng.uniform(0.5, 0.68), 1.0], rng, 0.2)


def _ring(rng: np.random.Generator) -> Outline:
    return [(_regular(40), True), (_regular(40) * rng.uniform(0.45, 0.7), False)]


def _heart(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return _tilted(np.stack([x, y], axis=1) / 17, rng, 0.5)


def _crescent(rng: np.random.Generator) -> Outline:
    angle = rng.uniform(-np.pi, np.pi)
    bite = _regular(40) * rng.uniform(0.75, 0.85) + [rng.uniform(0.4, 0.5), 0.0]
    return [(_turn(_regular(40), angle), True), (_turn(bite, angle), False)]


def _arrow(rng: np.random.Generator) -> Outline:
    shaft, neck = rng.uniform(0.18, 0.3), rng.uniform(-0.1, 0.3)
    upper = np.array([[-1.0, -shaft], [neck, -shaft], [neck, -0.7], [1.0, 0.0]])
    lower = upper[2::-1] * [1.0, -1.0]
    return _tilted(np.concatenate([upper, lower]), rng, np.pi)


def _hexagon(rng: np.random.Generator) -> Outline:
    return _tilted(_regular(6), rng, np.pi)


def _semicircle(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, np.pi, 24)
    return _tilted(np.stack([np.cos(t), np.sin(t) - 0.5], axis=1), rng, np.pi)


#: Label to the function that draws it; the order is part of the seed's meaning.
SHAPES: dict[str, Drawer] = {
    "circle": _circle,
    "oval": _oval,
    "square": _square,
    "rectangle": _rectangle,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "diamond": _diamond,
    "ring": _ring,
    "heart": _heart,
    "crescent": _crescent,
    "arrow": _arrow,
    "hexagon": _hexagon,
    "semicircle": _semicircle,
}
LABELS: tuple[str, ...] = tuple(SHAPES)
