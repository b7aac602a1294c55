"""Overlaps, neighbours and tracks from one pass, against pixels and whatever the chunks are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.annotations.coco_rle import mask_from_runs
from sam2vlm.annotations.runs import runs_from_pixels
from sam2vlm.annotations.types import Frame, ObjectAnnotation
from sam2vlm.validation import object_scan
from sam2vlm.validation.object_scan import scan_objects

HEIGHT, WIDTH = 7, 9


def blob(seed):
    """A mask of up to two rectangles; now and then nothing."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.integers(0, WIDTH - 1), rng.integers(0, HEIGHT - 1)
        pixels[y : y + rng.integers(1, 5), x : x + rng.integers(1, 6)] = 1
    return pixels


def item(object_id, pixels):
    mask = mask_from_runs(runs_from_pixels(pixels, "F"), HEIGHT, WIDTH)
    return ObjectAnnotation(object_id, f"label {object_id % 2}", mask, None, float(pixels.sum()))


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def aligned_iou(before, now):
    middles = [np.array(np.nonzero(picture)).mean(axis=1) for picture in (before, now)]
    down, across = np.rint(middles[1] - middles[0]).astype(int)
    wide = [np.zeros((3 * HEIGHT, 3 * WIDTH), np.uint8) for _ in range(2)]
    wide[0][HEIGHT + down : 2 * HEIGHT + down, WIDTH + across : 2 * WIDTH + across] = before
    wide[1][HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH] = now
    return iou(*wide)


@st.composite
def videos(draw):
    """Two videos' frames as (video, index, {object_id: pixels})."""
    made = []
    for video in ("a", "b"):
        for index in range(draw(st.integers(0, 4))):
            ids = draw(st.lists(st.integers(0, 3), unique=True, max_size=4))
            made.append((video, index, {number: blob(draw(st.integers(0, 2**20))) for number in ids}))
    return made


def frames_of(made):
    return [
        Frame(video, index, index / 5, WIDTH, HEIGHT, tuple(item(number, pixels) for number, pixels in masks.items()))
        for video, index, masks in made
    ]


@given(videos(), st.sampled_from([1, 2, 3, 256]))
@settings(max_examples=60, deadline=None)
def test_every_comparison_equals_that_of_the_pixels_whatever_the_chunks_are(made, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_scan, "CHUNK_OBJECTS", chunk)
        table = scan_objects(frames_of(made))
    rows = [(position, number) for position, (_video, _index, masks) in enumerate(made) for number in masks]
    pixels = [made[position][2][number] for position, number in rows]
    assert table.objects["grid_area"].tolist() == [picture.sum() for picture in pixels]
    shared, crossed = {}, {}
    for row, (position, number) in enumerate(rows):
        for other in range(row + 1, len(rows)):
            if rows[other][0] == position and (pixels[row] & pixels[other]).any():
                shared[row, other] = pytest.approx(iou(pixels[row], pixels[other]))
        known = position > 0 and made[position - 1][0] == made[position][0]
        before = rows.index((position - 1, number)) if known and (position - 1, number) in rows else None
        if before is None or not pixels[row].any() or not pixels[before].any():
            assert table.objects["before"][row] == -1
            assert np.isnan(table.objects["aligned"][row])
            continue
        assert table.objects["before"][row] == before
        assert table.objects["aligned"][row] == pytest.approx(aligned_iou(pixels[before], pixels[row]))
        for other in range(row + 1, len(rows)):
            two = table.objects["before"][other]
            if rows[other][0] == position and two >= 0:
                straight = iou(pixels[before], pixels[row]) + iou(pixels[two], pixels[other])
                across = iou(pixels[before], pixels[other]) + iou(pixels[two], pixels[row])
                if across > straight + 1e-9:
                    crossed[row, other] = pytest.approx((straight, across))
    assert {(pair.first, pair.second): pair.iou for pair in table.overlaps} == shared
    found = {tuple(sorted(pair[:2])): pair[2:] for pair in table.crossings if pair.crossed > pair.straight + 1e-9}
    assert found == crossed


def test_a_frame_that_does_not_follow_has_no_neighbour(made):
    first, second = made.frame(5, made.thing()), made.frame(6, made.thing())
    for frames in ([second, first], [first, first], [first, replace(second, video_id="w")]):
        assert scan_objects(frames).objects["before"].tolist() == [-1, -1]
    assert scan_objects([first, second]).objects["before"].tolist() == [-1, 0]


def test_masks_of_other_grids_are_not_compared(made):
    small = made.thing(mask=made.rectangle(5, 6, 10, 8, grid=(80, 60)))
    table = scan_objects([made.frame(0, made.thing(), replace(small, object_id=2)), made.frame(1, small)])
    assert (table.overlaps, table.crossings) == ([], [])
    # It is the same object nevertheless, and its size can be compared.
    assert table.objects["before"].tolist() == [-1, -1, 0]
    assert np.isnan(table.objects["aligned"]).all()


def test_tracks_count_what_was_left_out_as_an_absence(made):
    table = scan_objects([made.frame(0, made.thing()), made.frame(12, made.thing())])
    (track,) = table.tracks({})
    assert [interval.frames for interval in track.intervals] == [2]
    (track,) = table.tracks({"v": (6,)})
    assert [(part.first_frame, part.last_frame) for part in track.intervals] == [(0, 0), (12, 12)]


def test_an_empty_dataset_is_an_empty_table():
    table = scan_objects([])
    assert (len(table.frames), len(table.objects), table.tracks({})) == (0, 0, ())
