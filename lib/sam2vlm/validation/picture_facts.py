"""What the rules need to know of a picture, from decoding it once.

NumPy and Pillow are all it takes: `imagehash` would bring SciPy and PyWavelets for one cosine transform, and OpenCV
60 MB for a filter. No measure needs the whole picture: they take 64 rows and 32 columns, evenly spread, so that all
of them together cost a fraction of decoding it.
"""

from __future__ import annotations

import bisect
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from sam2vlm.errors import DataError
from sam2vlm.validation.picture_decoding import pixels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["PictureFacts", "content_digest", "picture_facts"]

DIGEST_BYTES = 16
# So many tell brightness, hash and sharpness of a picture of 854 x 480 within a few per cent.
ROWS, COLUMNS = 64, 32
HASH_SIDE, HASH_CELLS = 32, 8
BLACK_TO_WHITE = 255


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What one picture is like.

    Attributes:
        digest: XXH3-128 of the encoded bytes.
        width: Pixels; 0 where it cannot be decoded.
        height: Pixels; 0 where it cannot be decoded.
        low: Brightness that 5 % of the pixels do not exceed, 0 black to 1 white.
        high: Brightness that 99 % of the pixels do not exceed, 0 to 1.
        entropy: Of the brightness in 256 steps, bits: 0 for one even tone to 8.
        sharpness: Energy of the second differences between neighbouring pixels over the picture's variance; it does
            not change with exposure or contrast. 0 for one even tone.
        hash: The perceptual hash, 64 bits.
        fault: Why it cannot be decoded; None where it can, and None where only the digest was asked for.
    """

    digest: bytes
    width: int = 0
    height: int = 0
    low: float = 0.0
    high: float = 0.0
    entropy: float = 0.0
    sharpness: float = 0.0
    hash: int = 0
    fault: str | None = None


def content_digest(encoded: bytes) -> bytes:
    """Return the digest by which equal pictures are known, 16 bytes.

    It tells copies, it does not stand for the content: SHA-256, which does, takes 20 times as long, a tenth of what is
    spent on a picture.
    """
    return xxhash.xxh3_128_digest(encoded)


def picture_facts(encoded: bytes) -> PictureFacts:
    """Decode a picture and measure it; what cannot be decoded has a ``fault``.

    The hash is the DCT hash that `imagehash.phash` made common: 32 x 32 brightness, cosine transform, the 8 x 8
    slowest waves, a bit for each above their median; here in whole numbers, so that every machine finds the same.
    Brightness quantiles and entropy are those of CleanVision, https://github.com/cleanlab/cleanvision.

    Args:
        encoded: A PNG or JPEG.
    """
    digest = content_digest(encoded)
    try:
        pixels = pixels_of(encoded)
    except DataError as error:
        return PictureFacts(digest, fault=str(error))
    height, width = pixels.shape[:2]
    rows, columns = _every(pixels, (width, min(height, ROWS))), _every(pixels, (min(width, COLUMNS), height))
    counts = rows.histogram()
    behind = list(itertools.accumulate(counts))
    return PictureFacts(
        digest=digest,
        width=width,
        height=height,
        low=bisect.bisect_left(behind, 0.05 * behind[-1]) / BLACK_TO_WHITE,
        high=bisect.bisect_left(behind, 0.99 * behind[-1]) / BLACK_TO_WHITE,
        entropy=_entropy(counts, behind[-1]),
        # Every other of the rows is enough for it.
        sharpness=_sharpness(np.array(counts, np.int64), np.asarray(rows)[::2], np.asarray(columns)),
        hash=_hash(rows),
    )


def _every(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Return some lines of a picture in grey, evenly spaced: those nearest to the middles of ``size`` (w, h) parts."""
    from PIL import Image

    (height, width), (columns, rows) = pixels.shape[:2], size
    # take() copies whole pixels; an index of the second axis goes byte by byte, six times as long.
    if rows < height:
        pixels = pixels.take((2 * np.arange(rows) + 1) * height // (2 * rows), axis=0)
    if columns < width:
        pixels = pixels.take((2 * np.arange(columns) + 1) * width // (2 * columns), axis=1)
    return Image.fromarray(pixels).convert("L")


def _entropy(counts: Sequence[int], total: int) -> float:
    return max(math.log2(total) - sum(count * math.log2(count) for count in counts if count) / total, 0.0)


def _sharpness(counts: NDArray[np.int64], rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> float:
    """Return the energy of second differences along whole rows and along whole columns over the variance."""
    total = int(counts.sum())
    mean = int(counts @ _LEVELS) / total
    variance = int(counts @ _LEVELS**2) / total - mean * mean
    return (_energy(rows) + _energy(columns.T)) / variance if variance > 0 else 0.0


def _energy(lines: NDArray[np.uint8]) -> float:
    """Return the mean square of the second differences along the last axis; 0 for lines of less than three pixels."""
    if lines.shape[1] < 3:  # noqa: PLR2004  as the docstring says
        return 0.0
    values = lines.astype(np.int16)
    # Whole numbers below 2**53, so that the sum is exact in whatever order it is made.
    second = (2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]).ravel(order="K").astype(np.float64)
    # Not as a product: BLAS would start threads of its own in each of ours.
    return float(np.einsum("i,i->", second, second)) / second.size


_LEVELS = np.arange(BLACK_TO_WHITE + 1)


def _waves() -> NDArray[np.int64]:
    """Return the slowest cosines of 32 samples in 2**-20, shape (8, 32)."""
    wave, sample = np.mgrid[:HASH_CELLS, :HASH_SIDE]
    cosines = np.cos(np.pi * wave * (2 * sample + 1) / (2 * HASH_SIDE))
    return np.asarray(np.rint(cosines * 2**20), np.int64)


_WAVES = _waves()


def _hash(grey: Image.Image) -> int:
    from PIL import Image

    small = np.asarray(grey.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BOX)).astype(np.int64)
    strengths = (_WAVES @ small @ _WAVES.T).ravel()
    # Twice the median is a whole number too, so no bit hangs on a rounding.
    middle = np.sort(strengths)
    bits = 2 * strengths > middle[HASH_CELLS**2 // 2 - 1] + middle[HASH_CELLS**2 // 2]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
