"""Pictures of the last phase: shapes and invented kinds on ground that looks like something, hiding one another.

They come closer to a filmed scene than the shapes do: layered ground with a light that moves over it, things of several
parts, and objects of which only a part is left to see.
"""

from __future__ import annotations

import numpy as np

from pretraining.kinds import ALL_KINDS, draw_kind, paint_kind
from pretraining.pictures import (
    MOST_OBJECTS,
    Actor,
    Casting,
    Picture,
    Stage,
    choose_shape,
    draw_frame,
    draw_number,
    finish_picture,
    populate,
    shape_actor,
)
from pretraining.shapes import LABELS
from pretraining.textures import background, terrain

_KINDS = {kind.name: kind for kind in ALL_KINDS}
#: Every label of a scene: the shapes', then the kinds'.
SCENE_LABELS: tuple[str, ...] = (*LABELS, *_KINDS)

# How often an object is one of the kinds, and the ground a terrain.
_OF_A_KIND, _ON_TERRAIN = 0.7, 0.6


def _choose(rng: np.random.Generator) -> str:
    return ALL_KINDS[int(rng.integers(len(ALL_KINDS)))].name if rng.random() < _OF_A_KIND else choose_shape(rng)


def _act(rng: np.random.Generator, label: str) -> Actor:
    if label not in _KINDS:
        return shape_actor(rng, label)
    kind = _KINDS[label]
    figure = draw_kind(kind, rng)
    return Actor(
        figure.rings,
        lambda scale, side, behind: paint_kind(kind, rng, figure, scale=scale, side=side, behind=behind),
    )


_EVERYBODY = Casting(_choose, _act, shown=0.3, lost=0.6)


def draw_scene(seed: int, index: int, most: int = MOST_OBJECTS) -> Picture:
    """The scene number ``index`` of a seed, with at most ``most`` objects: the same bytes wherever it is drawn."""
    rng = np.random.default_rng([seed, index])
    frame = draw_frame(rng)
    ground = terrain if rng.random() < _ON_TERRAIN else background
    content, behind = ground(rng, frame.height, frame.width)
    stage = Stage(content, np.zeros((frame.height, frame.width), np.uint8), behind)
    return finish_picture(rng, frame, stage, populate(rng, stage, _EVERYBODY, min(draw_number(rng), most)))
