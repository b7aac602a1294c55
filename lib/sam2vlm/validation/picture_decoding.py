"""A picture's bytes to its pixels.

Two decoders: most frames are PNGs of eight bits a colour, which kornia-rs (the `png` crate) decodes in less than half
of Pillow's time; decoding is most of what the picture rules cost. Pillow decodes the rest, and decides about what the
first refuses, so that one program says what is broken, and in its own words.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.annotations.runs import MAX_GRID_PIXELS
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["pixels_of"]

_WHITE = 255
# Signature and IHDR of a PNG: width, height, then 8 bits, RGB, deflate, adaptive filters, no interlacing.
_HEADER = struct.Struct(">16xII5s")
_PNG, _PLAIN_RGB = b"\x89PNG\r\n\x1a\n", bytes((8, 2, 0, 0, 0))
# A colour that counts as transparent: Pillow knows it, the other does not.
_TRANSPARENCY = b"tRNS"


def pixels_of(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a picture.

    Args:
        encoded: A PNG or JPEG.

    Returns:
        Shape (height, width) for grey pictures, else (height, width, 3), RGB.

    Raises:
        DataError: It cannot be decoded, or is larger than any frame.
    """
    plain = _plain_png(encoded)
    return _by_pillow(encoded) if plain is None else plain


def _plain_png(encoded: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of a PNG of eight bits a colour; None for another picture, or where it is refused."""
    if not encoded.startswith(_PNG) or len(encoded) < _HEADER.size or _TRANSPARENCY in encoded[:4096]:
        return None
    width, height, form = _HEADER.unpack_from(encoded)
    if form != _PLAIN_RGB or not 0 < width * height <= MAX_GRID_PIXELS:
        return None
    from kornia_rs.io import decode_image_png_u8

    try:
        pixels: NDArray[np.uint8] = np.asarray(decode_image_png_u8(encoded, (height, width), "rgb"))
    except Exception:  # noqa: BLE001  it raises nothing more special than this
        return None
    return pixels


def _by_pillow(encoded: bytes) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MAX_GRID_PIXELS:
                raise DataError("is too large a picture", found=f"{picture.width} x {picture.height}")
            picture.load()
            return np.asarray(picture) if picture.mode in {"L", "RGB"} else _plain(picture)
    except UnidentifiedImageError:
        raise DataError("is no picture", expected="a PNG or JPEG") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DataError("cannot be decoded", found=error) from None


def _plain(picture: Any) -> NDArray[np.uint8]:
    """Return a picture of another mode as RGB, or as 8 bits of grey where it has 16."""
    if picture.mode.startswith("I"):
        return (np.asarray(picture).astype(np.int64) >> 8).clip(0, _WHITE).astype(np.uint8)
    return np.asarray(picture.convert("RGB"))
