import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.errors import SettingsError
from sam2vlm.sample import THINGS, make_scene
from sam2vlm.sample.motion import Stage, Track, plan_visits
from sam2vlm.sample.seeding import stream
from sam2vlm.sample.things import draw_thing


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 2**32), st.sampled_from([0.2, 2.0, 31.0]))
def test_someone_is_always_inside_and_nobody_is_there_twice(objects, seed, duration):
    tracks = [Track(number, "fish", 60.0) for number in range(objects)]
    visits = plan_visits(tracks, Stage(300, 200, 0.0, duration), seed)
    for second in np.linspace(0.0, duration, 40):
        inside = [visit for visit in visits if visit.times[1] <= second <= visit.times[-2]]
        places = [visit.place(second) for visit in inside]
        assert any(0 <= x <= 300 and 0 <= y <= 200 for x, y in places)
        there = [visit.track.object_id for visit in visits if visit.begin < second < visit.end]
        assert len(there) == len(set(there)) <= 5
    for visit in visits:
        for x, y in (visit.knots[0], visit.knots[-1]):
            assert not (-30 < x < 330 and -30 < y < 230)


def test_objects_leave_and_come_back_and_hide_each_other():
    scene = make_scene(width=214, height=120, objects=8, duration=60.0, seed=1, classes=("crab", "fish"))
    seen = {track.object_id: [] for track in scene.tracks}
    counts, touching = [], 0
    for second in np.arange(0.1, 60.0, 0.5):
        view = scene.look(float(second))
        ids = {track.object_id for track in view.visible}
        counts.append(len(ids))
        for number, row in seen.items():
            row.append(number in ids)
        owners = np.asarray(view.owners).astype(int)
        beside = (owners[:, 1:] != owners[:, :-1]) & (owners[:, 1:] > 0) & (owners[:, :-1] > 0)
        touching += bool(beside.any())
    returns = [sum(b and not a for a, b in itertools.pairwise(row)) for row in seen.values()]
    assert all(count >= 2 for count in returns)
    assert min(counts) >= 1
    assert max(counts) <= 5
    assert 1.5 < np.mean(counts) < 4.0
    assert touching > 5


def test_objects_are_large_and_vary_within_a_class():
    scene = make_scene(width=854, height=480, objects=12, duration=10.0, seed=3, classes=tuple(THINGS)[:4])
    sizes = [track.size for track in scene.tracks]
    assert min(sizes) >= 90
    assert max(sizes) < 0.5 * 480
    crabs = [track for track in scene.tracks if track.label == "crab"]
    assert len({track.variant for track in crabs}) == len(crabs) == 3
    assert len({track.size for track in crabs}) == 3


@pytest.mark.parametrize("name", sorted(THINGS))
def test_a_thing_fills_its_square_and_stays_inside(name):
    picture = draw_thing(name, 128, stream(0, name), phase=0.3)
    alpha = np.asarray(picture.getchannel("A"))
    left, top, right, bottom = picture.getchannel("A").getbbox()
    assert max(right - left, bottom - top) > 0.85 * 128
    assert alpha[0].max() == alpha[-1].max() == 0
    # A texture, not one flat colour.
    assert len(np.unique(np.asarray(picture)[alpha > 200][:, :3], axis=0)) > 250


def test_no_two_things_have_the_same_outline():
    outlines = {name: np.asarray(draw_thing(name, 96, stream(0, "x")).getchannel("A")) > 110 for name in THINGS}
    names = sorted(outlines)
    for one in names:
        for other in names:
            if one < other:
                common = (outlines[one] & outlines[other]).sum() / (outlines[one] | outlines[other]).sum()
                assert common < 0.75, (one, other)


def test_an_unknown_class_is_named():
    with pytest.raises(SettingsError, match="submarine"):
        make_scene(width=64, height=64, objects=1, duration=1.0, seed=0, classes=("submarine",))
