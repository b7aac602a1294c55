"""Pillow is the oracle: the quick decoder may only be quicker."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2vlm.errors import DataError
from sam2vlm.validation.picture_decoding import _plain_png, pixels_of

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def encoded(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@given(sizes, st.integers(0, 9), st.sampled_from(["RGB", "L", "P", "RGBA", "1", "LA", "CMYK"]))
@settings(max_examples=60, deadline=None)
def test_every_kind_of_picture_has_pillows_pixels(size: tuple[int, int], level: int, mode: str) -> None:
    picture = noise(size).convert(mode)
    content = encoded(picture, "JPEG") if mode == "CMYK" else encoded(picture, compress_level=level)
    with Image.open(io.BytesIO(content)) as opened:
        assert np.array_equal(pixels_of(content), np.asarray(opened.convert("L" if mode == "L" else "RGB")))


def test_of_sixteen_bits_of_grey_the_upper_eight_are_taken() -> None:
    grey = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    assert np.array_equal(pixels_of(encoded(Image.fromarray(grey))), grey >> 8)


def test_a_frame_takes_the_quick_way() -> None:
    assert _plain_png(encoded(noise((64, 48)))) is not None


def test_a_transparent_colour_goes_to_pillow() -> None:
    content = encoded(noise((8, 8)), transparency=(1, 2, 3))
    assert b"tRNS" in content
    assert _plain_png(content) is None
    assert np.array_equal(pixels_of(content), np.asarray(noise((8, 8))))


def test_a_cut_off_picture_is_told_in_pillows_words() -> None:
    content = encoded(noise((64, 48)))[:2000]
    assert _plain_png(content) is None
    with pytest.raises(OSError, match="truncated") as words, Image.open(io.BytesIO(content)) as opened:
        opened.load()
    with pytest.raises(DataError, match="cannot be decoded") as raised:
        pixels_of(content)
    assert raised.value.found == str(words.value)


def test_what_pillow_can_live_with_is_no_fault() -> None:
    content = encoded(noise((64, 48)))[:-13]  # of the last checksum and the end mark
    assert _plain_png(content) is None
    assert np.array_equal(pixels_of(content), np.asarray(noise((64, 48))))


@given(st.integers(33, 4000), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_damaged_byte_is_never_a_wrong_pixel(place: int, change: int) -> None:
    """Each chunk has its checksum, which the quick way holds it to; then Pillow decides."""
    content = bytearray(encoded(noise((40, 40))))
    content[place % len(content)] ^= change
    quick = _plain_png(bytes(content))
    assert quick is None or np.array_equal(quick, np.asarray(noise((40, 40))))


def test_too_large_a_picture_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(DataError):
        pixels_of(content)
