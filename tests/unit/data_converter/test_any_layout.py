"""Whatever stands anywhere in an export of any layout: it is read, or told in one sentence."""

from __future__ import annotations

import copy
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.errors import DataError

from .layouts import annotation, box_mask, generated, image, instances, jpeg, palette_png, rle, sav, write

ONE, OTHER = box_mask(2, 3, 8, 5), box_mask(12, 1, 4, 9)
LAYOUTS = {
    "sa-v": {
        "sav_7_manual.json": sav(
            [[ONE, OTHER], [OTHER, ONE]], masklet_visibility_changes=[0, 0], masklet_first_appeared_frame=[0.0, 0.0]
        ),
        "frames/0.jpg": jpeg(),
        "frames/4.jpg": jpeg(),
    },
    "automatic-masks": {
        "0.json": [generated(ONE), generated(OTHER)],
        "1.json": {"image": image(1, "1.jpg"), "annotations": [generated(ONE)]},
        "0.jpg": jpeg(),
        "1.jpg": jpeg(),
    },
    "coco-instances": {
        "instances.json": instances(
            [image(1, "0.jpg", video_id=1, frame_id=0), image(2, "1.jpg", video_id=1, frame_id=1)],
            [
                annotation(1, 1, [[2.0, 2.0, 9.0, 2.0, 2.0, 9.0]], attributes={"track_id": 1}, bbox=[1, 1, 2, 2]),
                annotation(2, 2, rle(ONE), attributes={"track_id": 1}, iscrowd=0, score=0.5, area=40),
            ],
        ),
        "0.jpg": jpeg(),
        "1.jpg": jpeg(),
    },
    "palette-png": {
        "Annotations/a/0.png": palette_png(ONE),
        "JPEGImages/a/0.jpg": jpeg(),
        "meta.json": {"videos": {"a": {"objects": {"1": {"category": "bear"}}}}},
    },
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([2**70, -1, 1e300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths_below(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths_below(value[key], (*path, key))


def read_or_told(folder):
    """The frames, or the one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = SAM2Parser().parse_zip(folder)
            assert len(parsed.tracks) >= 0
    except DataError as error:
        return str(error)
    assert parsed.frames
    return f"{folder}: read"


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_value_anywhere_is_read_or_told(tmp_path, layout, data):
    files = copy.deepcopy(LAYOUTS[layout])
    name = data.draw(st.sampled_from([name for name in files if name.endswith(".json")]))
    path = data.draw(st.sampled_from(list(paths_below(files[name]))))
    if path:
        place = files[name]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = data.draw(VALUES)
    else:
        files[name] = data.draw(VALUES)
    said = read_or_told(write(tmp_path, files))
    assert said.startswith(str(tmp_path))
    assert "\n" not in said


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["Annotations/a/0.png", "JPEGImages/a/0.jpg"]), st.integers(0), st.integers(1, 255))
def test_any_damaged_byte_of_a_picture_is_survived_or_told(tmp_path, name, place, flip):
    files = dict(LAYOUTS["palette-png"])
    content = bytearray(files[name])
    content[place % len(content)] ^= flip
    files[name] = bytes(content)
    said = read_or_told(write(tmp_path, files))
    assert said.startswith(str(tmp_path))
    assert "\n" not in said
