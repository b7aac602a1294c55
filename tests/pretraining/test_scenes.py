import numpy as np
import pytest

from pretraining.auxiliary import BACKGROUND, patch_targets
from pretraining.kinds import ALL_KINDS, KINDS, draw_kind
from pretraining.pictures import MOST_OBJECTS, SIDE
from pretraining.scenes import SCENE_LABELS, draw_scene
from pretraining.shapes import LABELS
from pretraining.words import WORDS
from sam2vlm.sample.things import THINGS


def test_a_scene_is_a_function_of_its_seed_and_number():
    first, again = draw_scene(3, 17), draw_scene(3, 17)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.objects == again.objects
    assert draw_scene(3, 18).pixels.tobytes() != first.pixels.tobytes()
    assert draw_scene(4, 17).pixels.tobytes() != first.pixels.tobytes()


@pytest.mark.parametrize("index", range(30))
def test_boxes_are_those_of_the_visible_masks(index):
    scene = draw_scene(0, index)
    assert scene.owners.max(initial=0) == len(scene.objects) <= MOST_OBJECTS
    for number, item in enumerate(scene.objects, start=1):
        rows, columns = np.nonzero(scene.owners == number)
        assert item.box == (
            columns.min() / SIDE,
            rows.min() / SIDE,
            (columns.max() + 1) / SIDE,
            (rows.max() + 1) / SIDE,
        )
        assert item.label in SCENE_LABELS


def test_the_kinds_have_names_of_their_own_that_are_nobodys():
    names = {kind.name for kind in ALL_KINDS}
    assert len(names) == KINDS
    assert not names & {*LABELS, *WORDS, *THINGS}
    assert set(SCENE_LABELS) == names | set(LABELS)


@pytest.mark.parametrize("kind", ALL_KINDS[:8], ids=lambda kind: kind.name)
def test_two_of_a_kind_are_alike_but_not_the_same(kind):
    one, other = (draw_kind(kind, np.random.default_rng(seed)) for seed in (0, 1))
    assert [(len(points), colour) for points, colour in one.layers] == [
        (len(points), colour) for points, colour in other.layers
    ]
    assert any(not np.array_equal(left, right) for (left, _), (right, _) in zip(one.layers, other.layers, strict=True))


def test_a_patchs_colour_is_the_mean_of_its_objects_pixels():
    scene = draw_scene(0, 5)
    kind, _, colour = patch_targets(scene)
    assert scene.objects
    for number, item in enumerate(scene.objects, start=1):
        own = kind == SCENE_LABELS.index(item.label)
        seen = scene.pixels[scene.owners == number].mean(axis=0) / 255
        assert any(np.allclose(value, seen, atol=1e-5) for value in colour[own])
    assert (colour[kind == BACKGROUND] == 0).all()
