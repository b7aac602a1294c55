"""The things of the sample: eight kinds, each with its own outline, pattern and colours, drawn from nothing.

Their names are everyday words that none of the shapes of the tiny model's pre-training has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.sample.canvas import Canvas, Colour, arc, blob, jittered, mixed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["THINGS", "Thing", "draw_thing"]

_WHITE: Colour = (246, 242, 232)
_BLACK: Colour = (24, 24, 30)


@dataclass(frozen=True)
class Thing:
    """One kind.

    Attributes:
        draw: Draws it with ``(canvas, colours, phase)``; the phase 0-1 moves legs, fins and tentacles.
        colours: Pairs (main, second); instances take them in turn and shift them a little.
        turns: How it is turned: ``"upright"`` sways, ``"side"`` is mirrored to where it goes, ``"heading"``
            points there, ``"tumble"`` rolls.
        sway: Degrees of swaying to each side.
    """

    draw: Callable[[Canvas, tuple[Colour, Colour], float], None]
    colours: tuple[tuple[Colour, Colour], ...]
    turns: str
    sway: float


def draw_thing(name: str, side: int, rng: np.random.Generator, *, variant: int = 0, phase: float = 0.0) -> Image.Image:
    """Draw one instance of a kind as an RGBA picture of ``side`` x ``side`` pixels.

    Args:
        name: One of :data:`THINGS`.
        side: Pixels.
        rng: The instance's own stream, at its start: the same for each phase.
        variant: Which of the kind's pairs of colours, counted round.
        phase: 0-1, the moment of its movement.
    """
    thing = THINGS[name]
    main, second = thing.colours[variant % len(thing.colours)]
    canvas = Canvas(side)
    thing.draw(canvas, (jittered(main, rng), jittered(second, rng)), phase)
    return canvas.finished(rng)


def _wave(phase: float, shift: float = 0.0) -> float:
    return float(np.sin(2 * np.pi * (phase + shift)))


def _points(*pairs: tuple[float, float]) -> NDArray[np.float64]:
    return np.array(pairs, dtype=np.float64)


def _mirrored(points: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    turned: NDArray[np.float64] = points * np.array([side, 1.0])
    return turned


def _crab(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    main, second = colours
    dark = mixed(main, _BLACK, 0.35)
    for side in (-1, 1):
        for leg, (knee, foot) in enumerate((((0.74, 0.02), (0.92, 0.34)), ((0.70, 0.22), (0.84, 0.56)),
                                            ((0.58, 0.38), (0.64, 0.74)))):  # fmt: skip
            lift = 0.05 * _wave(phase, leg / 3 + (side > 0) / 2)
            path = _points((0.38, 0.12 + 0.1 * leg), (knee[0], knee[1] + lift), (foot[0], foot[1] - lift))
            canvas.line(_mirrored(path, side), 0.10, dark)
        reach = 0.04 * _wave(phase, side / 4)
        canvas.line(_mirrored(_points((0.42, -0.10), (0.72, -0.24), (0.66, -0.46 + reach)), side), 0.15, dark)
        claw = arc((0.64, -0.64 + reach), (0.24, 0.26), -55, 245)
        canvas.polygon(_mirrored(np.concatenate([claw, _points((0.62, -0.58 + reach))]), side), main)
        canvas.line(_mirrored(_points((0.16, -0.22), (0.20, -0.48)), side), 0.07, dark)
        canvas.ellipse((side * 0.20, -0.50), (0.085, 0.085), _WHITE)
        canvas.ellipse((side * 0.21, -0.51), (0.045, 0.045), _BLACK)
    canvas.ellipse((0.0, 0.08), (0.56, 0.40), main)
    canvas.ellipse((0.0, 0.18), (0.40, 0.22), mixed(main, second, 0.65))
    for x, y in ((-0.26, -0.12), (0.26, -0.12), (0.0, -0.18), (-0.12, 0.02), (0.14, 0.0)):
        canvas.ellipse((x, y), (0.06, 0.05), mixed(main, second, 0.9))


def _jellyfish(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    main, second = colours
    squeeze = 1.0 + 0.07 * _wave(phase)
    run = np.linspace(0.0, 1.0, 24)
    for number, x in enumerate(np.linspace(-0.52, 0.52, 7)):
        wave = 0.07 * np.sin(2 * np.pi * (run * 1.3 + phase + number * 0.23)) * (0.3 + run)
        reach = 0.95 - 0.22 * abs(number - 3) / 3 - 0.12 * (number % 2)
        path = np.stack([x * squeeze * (1 - 0.15 * run) + wave, -0.08 + run * reach], axis=1)
        canvas.line(path, 0.075, second if number % 2 else mixed(main, _WHITE, 0.25), alpha=235)
    dome = arc((0.0, -0.10), (0.74 * squeeze, 0.80 / squeeze), 180, 360)
    frill_x = np.linspace(0.74, -0.74, 43)
    frill = np.stack([frill_x * squeeze, -0.08 + 0.09 * np.abs(np.sin(frill_x * 2 * np.pi / 0.49))], axis=1)
    bell = np.concatenate([dome, frill])
    canvas.polygon(bell, main, alpha=238)
    pattern = Canvas(canvas.side)
    for number in range(5):
        x = (number - 2) * 0.30
        pattern.line(_points((x * 0.25, -0.92), (x * 0.9, -0.5), (x * squeeze, -0.02)), 0.05, mixed(main, second, 0.7))
    pattern.line(arc((0.0, -0.10), (0.60 * squeeze, 0.18), 180, 360), 0.06, second)
    pattern.ellipse((-0.26, -0.60), (0.16, 0.09), mixed(main, _WHITE, 0.6))
    canvas.inlay(pattern, bell)


def _turtle(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    shell, skin = colours
    stroke = 0.16 * _wave(phase)
    for side in (-1, 1):
        front = _points((0.30, 0.30), (0.50, 0.34), (0.30 + stroke, 0.84), (0.02 + stroke, 0.92), (0.10, 0.50))
        back = _points((-0.42, 0.26), (-0.30, 0.40), (-0.62 - stroke / 2, 0.66), (-0.80, 0.62), (-0.60, 0.30))
        for flipper in (front, back):
            canvas.polygon(flipper * np.array([1.0, side]), skin)
    canvas.polygon(_points((-0.62, -0.08), (-0.62, 0.08), (-0.90, 0.0)), skin)
    canvas.polygon(blob([(0.42, 0.16), (0.60, 0.17), (0.80, 0.18), (0.94, 0.02)]), skin)
    for side in (-1, 1):
        canvas.ellipse((0.80, side * 0.11), (0.045, 0.045), _BLACK)
    outline = arc((-0.08, 0.0), (0.62, 0.50), 0, 360)
    canvas.polygon(outline, mixed(shell, _BLACK, 0.45))
    inner = arc((-0.08, 0.0), (0.56, 0.44), 0, 360)
    pattern = Canvas(canvas.side)
    pattern.polygon(inner, mixed(shell, _BLACK, 0.3))
    for column in range(-2, 3):
        for row in range(-2, 3):
            centre = (-0.08 + column * 0.27, row * 0.29 + (0.145 if column % 2 else 0.0))
            tint = mixed(shell, skin, 0.25 + 0.15 * ((column + row) % 3))
            pattern.polygon(arc(centre, (0.155, 0.155), 0, 300, 6), tint)
    canvas.inlay(pattern, inner)


def _fish(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    main, second = colours
    wag = 0.14 * _wave(phase)
    tail = _points((-0.50, 0.0), (-0.98, -0.44 + wag), (-0.84, wag), (-0.98, 0.44 + wag))
    canvas.polygon(tail, second)
    canvas.polygon(_points((-0.34, -0.34), (-0.10, -0.70), (0.36, -0.58), (0.46, -0.28)), mixed(main, second, 0.8))
    canvas.polygon(_points((-0.24, 0.30), (-0.16, 0.62), (0.14, 0.56), (0.24, 0.32)), mixed(main, second, 0.8))
    body = blob([(-0.66, 0.08), (-0.20, 0.38), (0.20, 0.46), (0.62, 0.32), (0.94, 0.03)])
    canvas.polygon(body, main)
    pattern = Canvas(canvas.side)
    for x in (-0.40, -0.06, 0.28):
        pattern.line(_points((x, -0.6), (x + 0.06, 0.0), (x, 0.6)), 0.15, second)
    canvas.inlay(pattern, body)
    canvas.polygon(_points((0.10, 0.06), (-0.22, 0.20 + wag / 2), (-0.16, 0.34 + wag / 2), (0.14, 0.20)),
                   mixed(main, _WHITE, 0.35))  # fmt: skip
    canvas.ellipse((0.62, -0.10), (0.10, 0.10), _WHITE)
    canvas.ellipse((0.645, -0.10), (0.055, 0.055), _BLACK)
    canvas.line(_points((0.90, 0.06), (0.76, 0.12)), 0.03, _BLACK)


def _anchor(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    del phase  # an anchor does not move its parts
    main, second = colours
    canvas.line(arc((0.0, -0.76), (0.15, 0.15), 0, 360), 0.09, second)
    canvas.line(_points((0.0, -0.60), (0.0, 0.80)), 0.17, main)
    canvas.line(_points((-0.42, -0.38), (0.42, -0.38)), 0.15, second)
    canvas.line(arc((0.0, 0.12), (0.70, 0.70), 12, 168), 0.17, main)
    for side in (-1, 1):
        fluke = _points((0.92, 0.28), (0.70, -0.06), (0.44, 0.24), (0.66, 0.32))
        canvas.polygon(_mirrored(fluke, side), second)


def _bottle(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    del phase
    glass, paper = colours
    outline = blob([(-0.94, 0.30), (-0.86, 0.34), (0.18, 0.34), (0.48, 0.13), (0.80, 0.12), (0.82, 0.15), (0.94, 0.15)])
    canvas.polygon(outline, glass)
    pattern = Canvas(canvas.side)
    pattern.polygon(_points((-0.62, -0.5), (0.02, -0.5), (0.02, 0.5), (-0.62, 0.5)), paper)
    for y in (-0.16, 0.0, 0.16):
        pattern.line(_points((-0.50, y), (-0.10, y)), 0.05, mixed(paper, _BLACK, 0.6))
    pattern.line(_points((-0.84, -0.22), (0.20, -0.22), (0.46, -0.07)), 0.07, mixed(glass, _WHITE, 0.6))
    pattern.polygon(_points((0.80, -0.3), (1.0, -0.3), (1.0, 0.3), (0.80, 0.3)), mixed(paper, _BLACK, 0.25))
    canvas.inlay(pattern, outline)


def _buoy(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    main, second = colours
    canvas.polygon(_points((-0.20, 0.02), (0.20, 0.02), (0.09, -0.62), (-0.09, -0.62)), second)
    canvas.polygon(_points((-0.16, -0.20), (0.16, -0.20), (0.13, -0.40), (-0.13, -0.40)), main)
    lamp = mixed((250, 220, 90), _WHITE, 0.5 + 0.5 * _wave(phase))
    canvas.ellipse((0.0, -0.76), (0.17, 0.18), lamp)
    hull = np.concatenate([arc((0.0, 0.14), (0.74, 0.22), 180, 360), arc((0.0, 0.20), (0.74, 0.66), 0, 180)])
    canvas.polygon(hull, main)
    pattern = Canvas(canvas.side)
    pattern.polygon(_points((-1.0, 0.20), (1.0, 0.20), (1.0, 0.44), (-1.0, 0.44)), second)
    canvas.inlay(pattern, hull)


def _shell(canvas: Canvas, colours: tuple[Colour, Colour], phase: float) -> None:
    del phase
    main, second = colours
    canvas.polygon(_points((-0.40, 0.84), (0.40, 0.84), (0.24, 0.50), (-0.24, 0.50)), mixed(main, second, 0.6))
    angle = np.linspace(np.radians(200), np.radians(340), 90)
    # Nine lobes along the outer edge, one for each rib.
    radius = 1.34 + 0.07 * np.abs(np.sin((angle - angle[0]) / (angle[-1] - angle[0]) * 9 * np.pi))
    rim = np.stack([np.cos(angle) * radius * 0.70, 0.62 + np.sin(angle) * radius], axis=1)
    fan = np.concatenate([rim, _points((0.0, 0.74))])
    canvas.polygon(fan, main)
    pattern = Canvas(canvas.side)
    for turn in np.linspace(200, 340, 10)[1:-1]:
        end = (np.cos(np.radians(turn)) * 1.0, 0.62 + np.sin(np.radians(turn)) * 1.42)
        pattern.line(_points((0.0, 0.66), end), 0.055, second)
    pattern.line(arc((0.0, 0.62), (0.52, 0.78), 200, 340), 0.07, mixed(main, second, 0.7))
    canvas.inlay(pattern, fan)


#: In the order in which a sample takes them: the first four look least alike at 128 pixels.
THINGS: dict[str, Thing] = {
    "crab": Thing(
        _crab,
        (((208, 62, 42), (244, 172, 120)), ((226, 104, 40), (252, 214, 150)), ((178, 44, 62), (236, 150, 150))),
        "upright",
        14.0,
    ),
    "jellyfish": Thing(
        _jellyfish,
        (((206, 120, 206), (246, 196, 236)), ((146, 112, 222), (206, 196, 250)), ((232, 130, 168), (252, 210, 206))),
        "upright",
        22.0,
    ),
    "turtle": Thing(
        _turtle,
        (((92, 112, 48), (176, 190, 104)), ((112, 80, 44), (190, 170, 100)), ((58, 108, 76), (142, 186, 130))),
        "heading",
        6.0,
    ),
    "fish": Thing(
        _fish,
        (((252, 200, 36), (36, 52, 120)), ((246, 128, 30), (250, 244, 232)), ((54, 116, 232), (250, 216, 60))),
        "side",
        12.0,
    ),
    "anchor": Thing(
        _anchor,
        (((96, 104, 116), (60, 66, 78)), ((150, 92, 58), (104, 66, 48)), ((58, 62, 70), (150, 156, 162))),
        "upright",
        30.0,
    ),
    "bottle": Thing(
        _bottle,
        (((44, 134, 72), (240, 230, 200)), ((138, 84, 38), (236, 222, 180)), ((60, 150, 180), (246, 240, 230))),
        "tumble",
        40.0,
    ),
    "buoy": Thing(
        _buoy,
        (((222, 56, 40), (246, 240, 230)), ((244, 202, 40), (44, 44, 52)), ((40, 150, 84), (246, 240, 230))),
        "upright",
        18.0,
    ),
    "shell": Thing(
        _shell,
        (((240, 206, 176), (196, 128, 104)), ((232, 150, 140), (250, 220, 204)), ((246, 228, 190), (168, 130, 88))),
        "tumble",
        40.0,
    ),
}
