"""Drawing in unit coordinates: x to the right and y down, both from -1 to 1, the origin in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sam2vlm.sample.textures import value_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Canvas", "Colour", "arc", "blob", "jittered", "mixed"]

Colour = tuple[int, int, int]
_OVERSAMPLING = 2  # drawn larger and averaged down: ImageDraw has no soft edges


class Canvas:
    """A transparent square picture of a thing.

    Args:
        side: Pixels of the finished picture.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self._large = side * _OVERSAMPLING
        self._image = Image.new("RGBA", (self._large, self._large))
        self._draw = ImageDraw.Draw(self._image)

    def _pixels(self, points: NDArray[np.float64]) -> list[tuple[float, float]]:
        scaled = (np.asarray(points, dtype=np.float64) + 1.0) * (self._large / 2)
        return [(float(x), float(y)) for x, y in scaled]

    def polygon(self, points: NDArray[np.float64], colour: Colour, *, alpha: int = 255) -> None:
        """Fill a polygon, points (n, 2)."""
        self._draw.polygon(self._pixels(points), fill=(*colour, alpha))

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour) -> None:
        """Fill an ellipse with upright axes."""
        self.polygon(arc(centre, radii, 0.0, 360.0), colour)

    def line(self, points: NDArray[np.float64], width: float, colour: Colour, *, alpha: int = 255) -> None:
        """Draw a line with round joints and ends; the width is in units."""
        pixels = self._pixels(points)
        thick = max(round(width * self._large / 2), 1)
        fill = (*colour, alpha)
        self._draw.line(pixels, fill=fill, width=thick, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=fill)

    def inlay(self, pattern: Canvas, inside: NDArray[np.float64]) -> None:
        """Lay another canvas's drawing over this one, but only inside a polygon (n, 2)."""
        window = Image.new("L", (self._large, self._large))
        ImageDraw.Draw(window).polygon(self._pixels(inside), fill=255)
        cut = Image.composite(pattern._image, Image.new("RGBA", pattern._image.size), window)
        self._image.alpha_composite(cut)

    def finished(self, rng: np.random.Generator) -> Image.Image:
        """Return the drawing as RGBA with a grain, light from the upper left and a darker rim."""
        flat = self._image.reduce(_OVERSAMPLING)
        pixels = np.asarray(flat).astype(np.float32)
        alpha = flat.getchannel("A")
        pixels[..., :3] *= self._light(alpha, rng)[..., None]
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def _light(self, alpha: Image.Image, rng: np.random.Generator) -> NDArray[np.float32]:
        side = self.side
        axis = np.linspace(0.14, -0.14, side, dtype=np.float32)
        slope = axis[None, :] * 0.5 + axis[:, None]
        grain = value_noise((side, side), cell=max(side // 24, 2), rng=rng) - 0.5
        soft = np.asarray(alpha.filter(ImageFilter.GaussianBlur(side * 0.02)), dtype=np.float32) / 255
        rim = np.clip((soft - 0.45) / 0.5, 0.0, 1.0)
        light: NDArray[np.float32] = (0.62 + 0.40 * rim + slope + 0.30 * grain).astype(np.float32)
        return light


def arc(
    centre: tuple[float, float], radii: tuple[float, float], begin: float, end: float, points: int = 40
) -> NDArray[np.float64]:
    """Return points (n, 2) on an ellipse; angles in degrees, 0 to the right, 90 downwards."""
    angle = np.radians(np.linspace(begin, end, points))
    return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1)


def blob(half_widths: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Return a smooth outline (n, 2) that is mirrored about the x axis.

    Args:
        half_widths: ``(x, half height there)`` from left to right.
    """
    knots = np.asarray(half_widths, dtype=np.float64)
    x = np.linspace(knots[0, 0], knots[-1, 0], 60)
    # Cosine easing between the knots: rounder than straight pieces, and it never overshoots them.
    place = np.clip(np.searchsorted(knots[:, 0], x, side="right") - 1, 0, len(knots) - 2)
    share = (x - knots[place, 0]) / (knots[place + 1, 0] - knots[place, 0])
    eased = (1 - np.cos(np.pi * share)) / 2
    y = knots[place, 1] + (knots[place + 1, 1] - knots[place, 1]) * eased
    return np.concatenate([np.stack([x, -y], axis=1), np.stack([x, y], axis=1)[::-1]])


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def jittered(colour: Colour, rng: np.random.Generator, most: int = 22) -> Colour:
    """Return a colour near the given one; each channel moves by at most ``most``."""
    red, green, blue = (int(np.clip(part + rng.integers(-most, most + 1), 0, 255)) for part in colour)
    return red, green, blue
