import numpy as np
import pytest

from pretraining.pictures import MOST_OBJECTS, PAD_COLOUR, SIDE, draw_picture
from pretraining.shapes import LABELS


def test_a_picture_is_a_function_of_its_seed_and_number():
    first, again = draw_picture(3, 17), draw_picture(3, 17)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.owners.tobytes() == again.owners.tobytes()
    assert first.objects == again.objects
    assert draw_picture(3, 18).pixels.tobytes() != first.pixels.tobytes()
    assert draw_picture(4, 17).pixels.tobytes() != first.pixels.tobytes()


@pytest.mark.parametrize("index", range(40))
def test_boxes_are_those_of_the_visible_masks_in_the_order_of_the_answers(index):
    picture = draw_picture(0, index)
    for number, item in enumerate(picture.objects, start=1):
        rows, columns = np.nonzero(picture.owners == number)
        expected = (columns.min() / SIDE, rows.min() / SIDE, (columns.max() + 1) / SIDE, (rows.max() + 1) / SIDE)
        assert item.box == expected
        assert item.label in LABELS
    assert picture.owners.max(initial=0) == len(picture.objects) <= MOST_OBJECTS
    keys = [(item.box[1], item.box[0], item.box[3], item.box[2]) for item in picture.objects]
    assert keys == sorted(keys)


def test_half_of_the_pictures_are_padded_with_the_colour_of_the_processor():
    pictures = [draw_picture(1, index).pixels for index in range(200)]
    padded = [
        bool((pixels[0] == PAD_COLOUR).all() and (pixels[-1] == PAD_COLOUR).all())
        or bool((pixels[:, 0] == PAD_COLOUR).all() and (pixels[:, -1] == PAD_COLOUR).all())
        for pixels in pictures
    ]
    assert 0.5 < np.mean(padded) < 0.8


def test_as_few_objects_as_asked_for():
    assert max(len(draw_picture(2, index, most=2).objects) for index in range(60)) == 2


def test_pictures_have_from_none_to_five_objects():
    counts = {len(draw_picture(5, index).objects) for index in range(120)}
    assert counts == set(range(MOST_OBJECTS + 1))
