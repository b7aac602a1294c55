"""Brightness, entropy, sharpness and hash of a picture, against hand-counted ones and other libraries."""

import io

import numpy as np
import pytest
import xxhash
from PIL import Image, ImageEnhance, ImageFilter
from scipy.fft import dct

from sam2vlm.sample import make_scene
from sam2vlm.validation import picture_facts


def encoded(picture, kind="PNG", **options):
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def grey(values):
    return Image.fromarray(np.array(values, np.uint8))


@pytest.fixture(scope="module")
def picture():
    return make_scene(width=427, height=240, objects=4, duration=4, seed=3, classes=("crab", "fish")).look(1.0).picture


def test_an_even_tone_has_its_brightness_and_nothing_else():
    facts = picture_facts(encoded(grey(np.full((20, 30), 102))))
    assert (facts.width, facts.height) == (30, 20)
    assert (facts.low, facts.high, facts.entropy, facts.sharpness) == (0.4, 0.4, 0.0, 0.0)
    assert facts.fault is None


def test_quantiles_and_entropy_counted_by_hand():
    # 100 pixels: 4 of 51, 94 of 102, 2 of 204: 5 % do not exceed 102, 98 % neither, so 99 % reach 204.
    values = np.full(100, 102)
    values[:4], values[-2:] = 51, 204
    facts = picture_facts(encoded(grey(values.reshape(10, 10))))
    assert (facts.low, facts.high) == (0.4, 0.8)
    assert facts.entropy == pytest.approx(-(0.04 * np.log2(0.04) + 0.94 * np.log2(0.94) + 0.02 * np.log2(0.02)))
    values[4] = 51
    assert picture_facts(encoded(grey(values.reshape(10, 10)))).low == 0.2
    values[-1] = 102
    assert picture_facts(encoded(grey(values.reshape(10, 10)))).high == 0.4


def test_sharpness_counted_by_hand():
    # Columns 0 and 200 in turn: every second difference along a row is 400, along a column 0; the variance is 100**2.
    stripes = np.tile([0, 200], (8, 8))
    assert picture_facts(encoded(grey(stripes))).sharpness == 16.0
    assert picture_facts(encoded(grey(stripes.T))).sharpness == 16.0
    # A ramp has no second difference.
    assert picture_facts(encoded(grey(np.tile(np.arange(16), (8, 1))))).sharpness == 0.0


def test_sharpness_falls_with_blur_and_not_with_exposure(picture):
    sharp = picture_facts(encoded(picture)).sharpness
    for radius, most in ((1, 0.25), (2, 0.1)):
        blurred = picture.filter(ImageFilter.GaussianBlur(radius))
        assert picture_facts(encoded(blurred)).sharpness < most * sharp
    for factor in (0.5, 0.25):
        darker = ImageEnhance.Brightness(picture).enhance(factor)
        assert picture_facts(encoded(darker)).sharpness == pytest.approx(sharp, rel=0.25)


def test_the_hash_is_that_of_a_cosine_transform(picture):
    for shown in (picture, picture.rotate(90, expand=True), picture.crop((0, 0, 64, 64))):
        rows = shown.resize((shown.width, min(64, shown.height)), Image.Resampling.NEAREST).convert("L")
        small = np.asarray(rows.resize((32, 32), Image.Resampling.BOX), float)
        slow = dct(dct(small, axis=0), axis=1)[:8, :8]
        bits = (slow > np.median(slow)).ravel()
        assert picture_facts(encoded(shown)).hash == int("".join("1" if bit else "0" for bit in bits), 2)


def test_the_hash_stays_near_for_a_copy_and_leaves_for_another_picture(picture):
    first = picture_facts(encoded(picture)).hash
    for copy in (
        encoded(picture, "JPEG", quality=60),
        encoded(picture.resize((640, 360))),
        encoded(ImageEnhance.Brightness(picture).enhance(0.7)),
    ):
        assert (picture_facts(copy).hash ^ first).bit_count() <= 4
    other = make_scene(width=427, height=240, objects=4, duration=4, seed=4, classes=("crab",)).look(1.0).picture
    assert (picture_facts(encoded(other)).hash ^ first).bit_count() > 10


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "I;16", "LA", "CMYK"])
def test_every_mode_of_a_picture_is_read(picture, mode):
    if mode == "I;16":
        shown = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        shown = picture.convert(mode)
    facts = picture_facts(encoded(shown, "JPEG" if mode == "CMYK" else "PNG"))
    assert (facts.fault, facts.width, facts.height) == (None, 427, 240)
    plain = picture_facts(encoded(picture.convert("L")))
    if mode != "1":
        assert (facts.low, facts.high) == pytest.approx((plain.low, plain.high), abs=0.06)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _data: b"", "is no picture"),
        (lambda _data: b"GIF89a", "is no picture"),
        (lambda data: data[: len(data) // 2], "cannot be decoded"),
        (lambda data: data[:4000] + bytes(64) + data[4064:], "cannot be decoded"),
        (lambda data: data[:16] + b"\x7f\xff\xff\xff" * 2 + data[24:], "is no picture"),
    ],
)
def test_what_cannot_be_decoded_has_a_fault_and_its_digest(picture, damage, words):
    broken = damage(encoded(picture))
    facts = picture_facts(broken)
    assert words in facts.fault
    assert (facts.width, facts.hash) == (0, 0)
    assert facts.digest == xxhash.xxh3_128(broken).digest()
    assert facts.digest != picture_facts(broken + b"\0").digest


def test_tiny_pictures_have_facts_too():
    for size in ((1, 1), (1, 9), (2, 2), (9, 1)):
        facts = picture_facts(encoded(Image.new("RGB", size, (255, 255, 255))))
        assert (facts.width, facts.height, facts.low) == (*size, 1.0)
