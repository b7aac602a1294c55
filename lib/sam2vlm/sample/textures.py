"""Noise and grounds: the sea floor, the reef and the open water that the things move over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GROUNDS", "caustics", "ground", "value_noise"]

_Palette = tuple[tuple[int, int, int], ...]


def value_noise(shape: tuple[int, int], *, cell: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth noise (height, width) in about 0-1 whose features are ``cell`` pixels wide."""
    height, width = shape
    coarse = rng.random((height // cell + 3, width // cell + 3), dtype=np.float32)
    # One cell more than needed on each side, cut off below: no flat borders.
    grown = Image.fromarray(coarse).resize((coarse.shape[1] * cell, coarse.shape[0] * cell), Image.Resampling.BICUBIC)
    field: NDArray[np.float32] = np.asarray(grown, dtype=np.float32)[cell : cell + height, cell : cell + width]
    return field


def _layered(shape: tuple[int, int], cell: int, octaves: int, rng: np.random.Generator) -> NDArray[np.float32]:
    total = np.zeros(shape, dtype=np.float32)
    weight = 0.0
    for octave in range(octaves):
        share = 0.5**octave
        total += share * value_noise(shape, cell=max(cell >> octave, 3), rng=rng)
        weight += share
    mean: NDArray[np.float32] = total / np.float32(weight)
    return mean


def _coloured(field: NDArray[np.float32], palette: _Palette) -> NDArray[np.float32]:
    """Map 0-1 through a colour scale; returns (height, width, 3)."""
    place = np.linspace(0.0, 1.0, len(palette))
    table = np.stack([np.interp(np.linspace(0, 1, 256), place, [c[k] for c in palette]) for k in range(3)], axis=1)
    looked_up: NDArray[np.float32] = table.astype(np.float32)[(np.clip(field, 0, 1) * 255).astype(np.uint8)]
    return looked_up


def _sand(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = shape
    warp = _layered(shape, height // 3, 2, rng) * 9.0
    rows = np.arange(height, dtype=np.float32)[:, None] / np.float32(height)
    slope = np.arange(width, dtype=np.float32)[None, :] / np.float32(width)
    ripples = 0.5 + 0.5 * np.sin(rows * 75.0 + slope * 14.0 + warp * 3.0)
    field = 0.30 * ripples + 0.70 * _layered(shape, height // 4, 4, rng)
    return _coloured(field, ((104, 96, 80), (158, 142, 108), (196, 178, 138), (222, 206, 168)))


def _reef(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    rock = _layered(shape, shape[0] // 4, 4, rng)
    floor = _coloured(rock, ((22, 40, 52), (50, 74, 80), (92, 104, 92), (150, 142, 116)))
    growth = _layered(shape, shape[0] // 6, 3, rng)
    moss = _coloured(growth, ((30, 70, 62), (58, 112, 84), (120, 150, 96)))
    cover = np.clip((growth - 0.5) * 9.0, 0.0, 1.0)[..., None]
    reef: NDArray[np.float32] = floor * (1 - cover) + moss * cover
    return reef


def _water(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = shape
    depth = 1.0 - np.linspace(0.05, 0.85, height, dtype=np.float32)[:, None]
    rays = np.asarray(
        Image.fromarray(rng.random((1, width // max(width // 18, 1) + 1), dtype=np.float32)).resize(
            (width * 2, 1), Image.Resampling.BICUBIC
        ),
        dtype=np.float32,
    )[0]
    # The rays lean: each row reads the same profile a little further to the right.
    place = (np.arange(width)[None, :] + (np.arange(height) // 2)[:, None]) % rays.size
    field = 0.72 * depth + 0.20 * (rays[place] - 0.5) * depth + 0.28 * _layered(shape, height // 3, 3, rng)
    return _coloured(field, ((6, 26, 54), (12, 62, 104), (30, 112, 152), (86, 172, 196), (150, 214, 222)))


GROUNDS = {"sand": _sand, "reef": _reef, "water": _water}


def ground(name: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Paint a ground, an RGB picture of ``size`` (width, height)."""
    width, height = size
    return Image.fromarray(np.clip(GROUNDS[name]((height, width), rng), 0, 255).astype(np.uint8))


def caustics(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Paint the bright net that waves cast, a grey picture of ``size`` (width, height)."""
    width, height = size
    cell = max(height // 9, 4)
    fold = value_noise((height, width), cell=cell, rng=rng) - value_noise((height, width), cell=cell, rng=rng)
    net = np.exp(-np.abs(fold) * 16.0)
    return Image.fromarray((net * 255).astype(np.uint8))
