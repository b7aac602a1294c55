"""Rules over pictures at their thresholds."""

import io

import numpy as np
import pytest
from PIL import Image

from sam2vlm.validation import (
    Severity,
    Status,
    blur_check,
    bright_picture_check,
    dark_picture_check,
    low_information_check,
    picture_integrity_check,
    picture_size_check,
)

RULES = (
    blur_check,
    bright_picture_check,
    dark_picture_check,
    low_information_check,
    picture_integrity_check,
    picture_size_check,
)


def png(values):
    target = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8)).save(target, "PNG")
    return target.getvalue()


def shown(made, *pictures, **changes):
    return made.dataset(*(made.frame(n, made.thing(), picture=p) for n, p in enumerate(pictures)), **changes)


def tone(dark, bright, *, share=0.5, size=(30, 40)):
    """A picture of two tones, the bright one with a share of the pixels."""
    values = np.full(size, dark)
    values.ravel()[: round(share * values.size)] = bright
    return png(values)


@pytest.mark.parametrize(("bright", "found"), [(81, True), (82, False)])
def test_dark_is_below_a_third_in_all_but_one_percent(made, bright, found):
    # 81 of 255 are 0.318, 82 are 0.322.
    assert bool(dark_picture_check(shown(made, tone(10, bright))).findings) is found


def test_a_few_bright_pixels_make_no_bright_picture(made):
    result = dark_picture_check(shown(made, tone(10, 250, share=0.009), tone(10, 250, share=0.02)))
    assert [(item.frame_index, item.message) for item in result.findings] == [
        (0, "is dark: 99 % of its pixels are at most 0.04 bright, expected 0.32")
    ]
    assert dark_picture_check(shown(made, tone(10, 81)), min_high_brightness=0.3).status is Status.PASSED


@pytest.mark.parametrize(("dark", "found"), [(242, False), (243, True)])
def test_bright_is_above_nineteen_twentieths_in_all_but_five_percent(made, dark, found):
    # 242 of 255 are 0.949, 243 are 0.953.
    assert bool(bright_picture_check(shown(made, tone(dark, 255))).findings) is found


@pytest.mark.parametrize(("tones", "found"), [(7, True), (8, False)])
def test_eight_equal_tones_have_three_bits(made, tones, found):
    picture = png(np.repeat(np.linspace(0, 255, tones).astype(np.uint8), 40)[:, None] * np.ones(8, np.uint8))
    assert bool(low_information_check(shown(made, picture)).findings) is found


def noise(spread, seed):
    return png(np.random.default_rng(seed).normal(128, spread, (30, 40)).clip(0, 255))


def ramp(step):
    """Stripes of a given width: the wider, the less sharp."""
    return png(np.tile(np.repeat([40, 200], step), (30, 20))[:, :40])


def test_blur_is_told_by_the_videos_own_median(made):
    sharp, soft = ramp(1), ramp(10)
    result = blur_check(shown(made, *[sharp] * 5, soft))
    assert [item.frame_index for item in result.findings] == [5]
    assert result.findings[0].message.startswith("is blurred: 0.")
    # A video that is soft throughout is no blurred one, and another video's pictures are no measure.
    assert blur_check(shown(made, soft, soft, soft)).status is Status.PASSED
    other = made.frame(9, made.thing(), picture=soft, video_id="w")
    dataset = shown(made, *[sharp] * 5)
    assert blur_check({**dataset, "frames": [*dataset["frames"], other]}).status is Status.PASSED


def test_an_even_tone_is_no_blur(made):
    dataset = shown(made, *[ramp(1)] * 3, png(np.full((30, 40), 90)))
    assert blur_check(dataset).status is Status.PASSED
    assert [item.frame_index for item in low_information_check(dataset).findings] == [0, 1, 2, 3]


def test_a_picture_of_another_size_than_its_video(made):
    pictures = [png(np.zeros(size)) for size in ((30, 40), (15, 20), (30, 40))]
    told = picture_size_check(shown(made, *pictures))
    assert [(item.frame_index, item.message) for item in told.findings] == [(1, "is 20 x 15, its video 40 x 30")]
    wrongly_told = picture_size_check(shown(made, *pictures, width=20, height=15))
    assert [item.frame_index for item in wrongly_told.findings] == [0, 2]
    untold = {"frames": shown(made, *pictures)["frames"]}
    assert [item.frame_index for item in picture_size_check(untold).findings] == [1]


def test_a_picture_that_cannot_be_decoded_is_an_error_of_one_rule_only(made):
    dataset = shown(made, ramp(1), ramp(1)[:-30], b"text")
    result = picture_integrity_check(dataset)
    assert [(item.frame_index, item.severity) for item in result.findings] == [(1, Severity.ERROR), (2, Severity.ERROR)]
    assert result.findings[1].message == "its picture is no picture (expected a PNG or JPEG)"
    assert result.summary == "2 of 3 pictures cannot be decoded"
    assert all(rule(dataset).status is Status.PASSED for rule in (blur_check, dark_picture_check, picture_size_check))


def test_frames_without_pictures_pass(made):
    for rule in RULES:
        result = rule(made.dataset(made.frame(0, made.thing())))
        assert (result.status, result.checked) == (Status.PASSED, 0)
        assert rule(made.dataset()).status is Status.PASSED
