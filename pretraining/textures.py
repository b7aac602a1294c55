"""Random surfaces: what the backgrounds and the shapes are painted with.

A surface is a float32 array (height, width, 3) of RGB values 0-255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# How often a surface is flat, how often that or clouded (the rest has a pattern), and how often a background has
# clouds over its surface.
_FLAT, _FLAT_OR_CLOUDED, _CLOUDY_GROUND = 0.35, 0.45, 0.5

# How often a terrain is rippled, and under a net of light.
_RIPPLED, _LIT = 0.35, 0.4

Surface = NDArray[np.float32]
#: Where a surface has its second colour, 0-1 (height, width).
Pattern = NDArray[np.float32]
Colour = NDArray[np.float32]


def random_colour(rng: np.random.Generator) -> Colour:
    """A colour (3,), 0-255."""
    return rng.uniform(0, 255, 3).astype(np.float32)


def distant_colour(rng: np.random.Generator, other: Colour, least: float = 90.0) -> Colour:
    """A colour at least ``least`` away from ``other`` (Euclidean, RGB): nobody can find what cannot be seen."""
    while True:
        colour = random_colour(rng)
        if float(np.linalg.norm(colour - other)) >= least:
            return colour


def _coordinates(height: int, width: int, angle: float) -> NDArray[np.float32]:
    """Pixels travelled along ``angle``, (height, width)."""
    x = np.arange(width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32) * np.float32(np.sin(angle))
    return y[:, None] + x[None, :]


def smooth_noise(rng: np.random.Generator, height: int, width: int) -> Surface:
    """Coloured clouds, 0-255: a coarse random grid blown up smoothly."""
    cells = int(rng.integers(2, 11))
    grid = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def _stripes(rng: np.random.Generator, height: int, width: int) -> Pattern:
    period = rng.uniform(4, max(5.0, width / 2))
    phase = _coordinates(height, width, rng.uniform(0, np.pi)) / period + rng.random()
    return (phase % 1.0 < rng.uniform(0.3, 0.7)).astype(np.float32)


def _checks(rng: np.random.Generator, height: int, width: int) -> Pattern:
    period, angle = rng.uniform(3, max(4.0, width / 3)), rng.uniform(0, np.pi)
    rows = np.floor(_coordinates(height, width, angle) / period)
    columns = np.floor(_coordinates(height, width, angle + np.pi / 2) / period)
    checks: Pattern = (rows + columns) % 2
    return checks


def _dots(rng: np.random.Generator, height: int, width: int) -> Pattern:
    period, angle = rng.uniform(4, max(5.0, width / 3)), rng.uniform(0, np.pi)
    rows = _coordinates(height, width, angle) / period % 1.0 - 0.5
    columns = _coordinates(height, width, angle + np.pi / 2) / period % 1.0 - 0.5
    return (rows**2 + columns**2 < rng.uniform(0.05, 0.14)).astype(np.float32)


def _gradient(rng: np.random.Generator, height: int, width: int) -> Pattern:
    ramp = _coordinates(height, width, rng.uniform(-np.pi, np.pi))
    low, high = ramp.min(), ramp.max()
    gradient: Pattern = (ramp - low) / max(float(high - low), 1.0)
    return gradient


def _halves(rng: np.random.Generator, height: int, width: int) -> Pattern:
    return (_gradient(rng, height, width) > rng.uniform(0.35, 0.65)).astype(np.float32)


_PATTERNS = (_stripes, _checks, _dots, _gradient, _halves)


def surface(rng: np.random.Generator, height: int, width: int, main: Colour, second: Colour) -> Surface:
    """A surface (height, width, 3) of a flat colour, a pattern of two colours, or clouds around the main one."""
    kind = rng.random()
    if kind < _FLAT:
        return np.broadcast_to(main, (height, width, 3)).astype(np.float32)
    if kind < _FLAT_OR_CLOUDED:
        return main + np.float32(0.4) * (smooth_noise(rng, height, width) - 128)
    pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))](rng, height, width)
    return main + pattern[..., None].astype(np.float32) * (second - main)


def background(rng: np.random.Generator, height: int, width: int) -> tuple[Surface, Colour]:
    """A background (height, width, 3) and its mean colour (3,).

    Its pattern is weaker than those of the shapes, so that a background's stripe is no object.
    """
    main = random_colour(rng)
    near = main + rng.uniform(-40, 40, 3).astype(np.float32)
    painted = surface(rng, height, width, main, near)
    if rng.random() < _CLOUDY_GROUND:
        painted = painted + np.float32(rng.uniform(0.1, 0.45)) * (smooth_noise(rng, height, width) - 128)
    return painted, painted.mean(axis=(0, 1))


def _layers(rng: np.random.Generator, height: int, width: int) -> Pattern:
    """Grey noise 0-1 (height, width), from coarse to fine, each layer half as strong as the one before it."""
    cells, total = int(rng.integers(2, 5)), np.zeros((height, width), np.float32)
    for octave in range(4):
        size = cells << octave
        grid = Image.fromarray(rng.random((size, size), dtype=np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) * np.float32(0.5**octave)
    return total / np.float32(1.875)


def terrain(rng: np.random.Generator, height: int, width: int) -> tuple[Surface, Colour]:
    """A ground as if out of doors (height, width, 3) and its mean colour (3,).

    Layered noise through a scale of four colours that are near each other, at times rippled, and at times under a net
    of light.
    """
    relief = _layers(rng, height, width)
    if rng.random() < _RIPPLED:
        waves = _coordinates(height, width, rng.uniform(0, np.pi)) / rng.uniform(2, 12) + 8 * relief
        relief = relief + np.float32(rng.uniform(0.05, 0.2)) * np.sin(waves)
    scale = np.sort(rng.uniform(0, 255, (1, 3)) + np.cumsum(rng.uniform(0, 55, (4, 3)), axis=0) - 70, axis=0)
    marks = np.linspace(0.2, 0.8, len(scale))
    painted = np.stack([np.interp(relief, marks, scale[:, channel]) for channel in range(3)], axis=2).astype(np.float32)
    if rng.random() < _LIT:
        net = np.exp(-np.abs(_layers(rng, height, width) - _layers(rng, height, width)) * np.float32(24))
        painted = painted + np.float32(rng.uniform(20, 110)) * net[..., None]
    return painted, painted.mean(axis=(0, 1))
