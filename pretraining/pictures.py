"""Generated pictures of shapes and the truth about them.

A picture is a 128-pixel square as the image processor makes it: content of some aspect ratio, padded to a square with
the processor's own colour. Boxes are (x1, y1, x2, y2), 0-1 of that padded square, and are the boxes of what is visible
of each object, as a segmentation export would have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pretraining.shapes import LABELS, SHAPES, Outline
from pretraining.textures import background, distant_colour, random_colour, surface

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pretraining.textures import Colour, Surface

#: Side of a picture in pixels, after padding.
SIDE = 128
#: What LLaVA's image processor pads with: ``int(mean * 255)`` of CLIP's mean.
PAD_COLOUR = (122, 116, 104)
#: Most objects in a picture.
MOST_OBJECTS = 5

# Width over height of the content and how often it is drawn: square, 16:9 (what video frames mostly are), 4:3, upright.
_ASPECTS = ((1.0, 0.35), (16 / 9, 0.40), (4 / 3, 0.12), (3 / 4, 0.07), (9 / 16, 0.06))
# Longest extent of an object, as a share of the content's own scale (the root of its area).
_SIZES = (0.13, 0.6)
# Masks are drawn this many times larger and averaged down, so that edges are as soft as those of a resized frame.
_OVERSAMPLING = 4
# From this share of a pixel on, it belongs to the object.
_SOLID = 0.5
# An object must show so many pixels; what shows less is not placed.
_LEAST_PIXELS = 36
# How often an object has an inlay and is shaded, and a picture has grain and is out of focus.
_INLAID, _SHADED, _GRAINY, _BLURRED = 0.25, 0.3, 0.5, 0.2
# Grain is cut out of one sheet of noise: drawing it anew for each picture took a tenth of the time.
_GRAIN = np.random.default_rng(0).standard_normal((2 * SIDE, 2 * SIDE, 3), dtype=np.float32)


@dataclass(frozen=True)
class Object:
    """One visible object: its label and its box (x1, y1, x2, y2), 0-1 of the padded square."""

    label: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """``pixels`` (128, 128, 3) uint8 RGB; ``owners`` (128, 128) uint8, 0 where no object is, k + 1 for ``objects[k]``.

    The objects are in the order of the answers: by y1, x1, y2, x2.
    """

    pixels: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class Actor:
    """One object before it is placed.

    ``rings`` are its outline in the unit frame; ``paint`` gives the surface (side, side, 3) for ``scale`` (pixels a
    unit), ``side`` (pixels) and the ground's mean colour.
    """

    rings: Outline
    paint: Callable[[float, int, Colour], Surface]


@dataclass(frozen=True)
class Casting:
    """Who may appear and how much may be hidden.

    ``choose`` draws a label and ``act`` makes one such object. An object shows at least ``shown`` of itself within the
    frame, and loses at most ``lost`` of what is visible of it to the next one.
    """

    choose: Callable[[np.random.Generator], str]
    act: Callable[[np.random.Generator, str], Actor]
    shown: float
    lost: float


@dataclass(frozen=True)
class Frame:
    """Where the content lies within the padded square, in pixels."""

    left: int
    top: int
    width: int
    height: int


def draw_frame(rng: np.random.Generator) -> Frame:
    """A frame of one of the usual aspect ratios."""
    ratios, weights = zip(*_ASPECTS, strict=True)
    aspect = ratios[int(rng.choice(len(ratios), p=weights))]
    width, height = (SIDE, round(SIDE / aspect)) if aspect >= 1 else (round(SIDE * aspect), SIDE)
    return Frame((SIDE - width) // 2, (SIDE - height) // 2, width, height)


def _mask(outline: Outline, scale: float, side: int) -> NDArray[np.float32]:
    """The outline drawn around the middle of a (side, side) array, 0-1, one unit being ``scale`` pixels."""
    large = Image.new("L", (side * _OVERSAMPLING,) * 2)
    draw = ImageDraw.Draw(large)
    for points, filled in outline:
        draw.polygon((points * (scale * _OVERSAMPLING) + side * _OVERSAMPLING / 2).ravel().tolist(), 255 * filled)
    return np.asarray(large.reduce(_OVERSAMPLING), dtype=np.float32) / np.float32(255)


def shape_actor(rng: np.random.Generator, label: str) -> Actor:
    """One of the geometric shapes, in any colours."""
    outline = SHAPES[label](rng)
    return Actor(outline, lambda scale, side, behind: _paint(rng, outline, scale, side, behind))


def _paint(rng: np.random.Generator, outline: Outline, scale: float, side: int, behind: Colour) -> Surface:
    """The object's surface (side, side, 3): a texture, at times shaded or with an inlay of another colour."""
    main, second = distant_colour(rng, behind), random_colour(rng)
    painted = surface(rng, side, side, main, second)
    if rng.random() < _INLAID:
        inlay = _mask(outline, scale * rng.uniform(0.45, 0.85), side)[..., None]
        painted = painted + inlay * (random_colour(rng) - painted)
    if rng.random() < _SHADED:
        slope = rng.uniform(-0.4, 0.4, 2)
        ramp = np.linspace(-1, 1, side)
        shade = 1 + slope[0] * ramp[:, None] + slope[1] * ramp[None, :]
        painted = painted * shade[..., None].astype(np.float32)
    return painted


@dataclass(frozen=True)
class Stage:
    """A picture in the making: ``content`` (height, width, 3), ``owners`` (height, width), the ground's mean colour."""

    content: Surface
    owners: NDArray[np.uint8]
    behind: Colour


def _place(rng: np.random.Generator, stage: Stage, casting: Casting, label: str, number: int) -> bool:
    """Draw one object onto the stage; False where it does not fit.

    It does not fit where too little of it is within the frame, or where it hides too much of an earlier one.
    """
    content, owners = stage.content, stage.owners
    height, width = owners.shape
    extent = np.exp(rng.uniform(*np.log(_SIZES))) * np.sqrt(height * width)
    actor = casting.act(rng, label)
    points = np.concatenate([ring for ring, _ in actor.rings])
    scale = extent / float((points.max(axis=0) - points.min(axis=0)).max())
    side = int(np.ceil(2 * scale * float(np.abs(points).max()))) + 2
    left = int(rng.integers(-extent * 0.3, width + extent * 0.3)) - side // 2
    top = int(rng.integers(-extent * 0.3, height + extent * 0.3)) - side // 2
    inside = (
        slice(max(0, -top), max(0, min(side, height - top))),
        slice(max(0, -left), max(0, min(side, width - left))),
    )
    there = (slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side)))
    covered = owners[there]
    # Cheap refusals first: too little within the frame, or too much in the way, before anything is drawn.
    if covered.size < 0.5 * side * side or np.count_nonzero(covered) > 0.6 * covered.size:
        return False
    mask = _mask(actor.rings, scale, side)
    cut = mask[inside]
    solid = cut >= _SOLID
    seen = np.count_nonzero(solid)
    if seen < _LEAST_PIXELS or seen < casting.shown * np.count_nonzero(mask >= _SOLID):
        return False
    if _hides(owners, covered[solid], casting.lost):
        return False
    painted = actor.paint(scale, side, stage.behind)[inside]
    content[there] += cut[..., None] * (painted - content[there])
    owners[there][solid] = number
    return True


def _hides(owners: NDArray[np.uint8], covered: NDArray[np.uint8], most: float) -> bool:
    """Whether covering these pixels takes more than ``most`` of what is visible of any object."""
    lost = np.bincount(covered, minlength=MOST_OBJECTS + 1)[1:]
    return bool(lost.any()) and bool((lost > most * np.bincount(owners.ravel(), minlength=MOST_OBJECTS + 1)[1:]).any())


def _finish(rng: np.random.Generator, content: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The content as a camera would have it: at times out of focus, at times with grain."""
    if rng.random() < _GRAINY:
        row, column = rng.integers(SIDE, size=2)
        grain = _GRAIN[row : row + content.shape[0], column : column + content.shape[1]]
        content = content + grain * np.float32(rng.uniform(2, 14))
    finished = np.clip(content, 0, 255).astype(np.uint8)
    if rng.random() < _BLURRED:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9))
        finished = np.asarray(Image.fromarray(finished).filter(blur))
    return finished


def _boxes(owners: NDArray[np.uint8], labels: list[str]) -> list[tuple[Object, int]]:
    """Each visible object and its number in ``owners`` (128, 128), in the order of the answers."""
    found = []
    for number, label in enumerate(labels, start=1):
        own = owners == number
        rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
        box = (columns[0] / SIDE, rows[0] / SIDE, (columns[-1] + 1) / SIDE, (rows[-1] + 1) / SIDE)
        found.append((Object(label, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))), number))
    return sorted(found, key=lambda pair: (pair[0].box[1], pair[0].box[0], pair[0].box[3], pair[0].box[2]))


def draw_number(rng: np.random.Generator) -> int:
    """How many objects: none, one, ... five; mostly two to four, as in a filmed scene."""
    return int(rng.choice(6, p=(0.04, 0.14, 0.24, 0.26, 0.2, 0.12)))


def populate(rng: np.random.Generator, stage: Stage, casting: Casting, wanted: int) -> list[str]:
    """Place up to ``wanted`` objects; the labels of those that found room, number 1 first."""
    labels: list[str] = []
    for _ in range(4 * wanted):
        if len(labels) == wanted:
            break
        label = casting.choose(rng)
        if _place(rng, stage, casting, label, len(labels) + 1):
            labels.append(label)
    return labels


def draw_picture(seed: int, index: int, most: int = MOST_OBJECTS) -> Picture:
    """The picture number ``index`` of a seed, with at most ``most`` objects: the same bytes wherever it is drawn."""
    rng = np.random.default_rng([seed, index])
    frame = draw_frame(rng)
    content, behind = background(rng, frame.height, frame.width)
    stage = Stage(content, np.zeros((frame.height, frame.width), np.uint8), behind)
    wanted = min(draw_number(rng), most)
    return finish_picture(rng, frame, stage, populate(rng, stage, _SHAPES_ALONE, wanted))


def choose_shape(rng: np.random.Generator) -> str:
    """The label of one of the geometric shapes, each as often."""
    return LABELS[int(rng.integers(len(LABELS)))]


_SHAPES_ALONE = Casting(choose_shape, shape_actor, shown=0.6, lost=1 / 3)


def finish_picture(rng: np.random.Generator, frame: Frame, stage: Stage, labels: list[str]) -> Picture:
    """Pad the content to the square and find the boxes of what is visible."""
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    pixels[:] = PAD_COLOUR
    padded = np.zeros((SIDE, SIDE), np.uint8)
    rows = slice(frame.top, frame.top + frame.height)
    columns = slice(frame.left, frame.left + frame.width)
    pixels[rows, columns] = _finish(rng, stage.content)
    padded[rows, columns] = stage.owners
    found = _boxes(padded, labels)
    renumber = np.zeros(MOST_OBJECTS + 1, np.uint8)
    renumber[[number for _, number in found]] = np.arange(1, len(found) + 1)
    return Picture(pixels, renumber[padded], tuple(item for item, _ in found))
