"""Is a picture whole, upright, one, and of eight bits? Told from its structure; no pixel is unpacked.

What is refused here would not fail where it is read, but show something else than the masks were drawn on:
`datasets` turns a picture by its EXIF orientation, Pillow clips 16 bits of grey to 8, and an animation shows its
first frame only.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, NoReturn

from sam2vlm.data_converter.file_kinds import kind_by_head
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["check_picture", "read_checked"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_CHUNK_FRAME = 12  # a chunk's length, type and checksum, 4 bytes each
_DEPTH_AT, _COLOUR_AT = 24, 25
_DEEP, _GREY = 16, 0
# Where an orientation may be told: EXIF, what ImageMagick makes of it, and XMP.
_TELLING_CHUNKS = frozenset({b"eXIf", b"zTXt", b"iTXt", b"tEXt"})
_TELLING_WORDS = (b"Exif\0", b"rientation")
_ORIENTATION, _UPRIGHT = 0x0112, (None, 0, 1)


def read_checked(archive: ExportArchive, name: str) -> bytes:
    """Return a picture's bytes as they are stored.

    Raises:
        DataError: As :func:`check_picture`, or the entry is damaged.
    """
    content = archive.read(name)
    check_picture(content, f"{archive.path}: {name}")
    return content


def check_picture(content: bytes, source: str) -> None:
    """Refuse a picture that is cut off or that its readers would not show as it was exported.

    Args:
        content: The encoded picture.
        source: How messages call it.

    Raises:
        DataError: It is neither PNG nor JPEG, ends too early, is animated, has 16 bits of grey, or is to be turned.
    """
    if content.startswith(_PNG):
        turned = _check_png(content, source)
    elif content.startswith(_JPEG):
        turned = _check_jpeg(content, source)
    else:
        _fail("is no picture", source, "a PNG or JPEG", kind_by_head(content))
    if turned:
        orientation = _orientation(content)
        if orientation not in _UPRIGHT:
            _fail(
                "is to be turned before it is shown, and masks do not say whether they are turned",
                source,
                "no orientation, or 1",
                f"the orientation {orientation}",
            )


def _check_png(content: bytes, source: str) -> bool:
    """Return whether an orientation may be told in there."""
    if content[_DEPTH_AT : _COLOUR_AT + 1] == bytes((_DEEP, _GREY)):
        _fail("has 16 bits of grey, which readers clip to white", source, "8 bits a sample", "16")
    telling = ended = False
    for kind, at in _chunks(content):
        if kind == b"acTL":
            (frames,) = struct.unpack_from(">I", content, at)
            if frames > 1:
                _fail("is an animation", source, "one picture", f"{frames} frames")
        telling |= kind in _TELLING_CHUNKS
        ended = kind == b"IEND"
    if not ended:
        _fail("is a picture that ends too early", source, "a PNG to its last chunk", f"{len(content)} bytes")
    return telling


def _chunks(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the type of every whole chunk and where its data begin, up to the last."""
    at, size = len(_PNG), len(content)
    while at + _CHUNK_FRAME <= size:
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + _CHUNK_FRAME + length > size:
            return
        yield kind, at + 8
        if kind == b"IEND":
            return
        at += _CHUNK_FRAME + length


def _check_jpeg(content: bytes, source: str) -> bool:
    """Return whether an orientation may be told in there."""
    # Inside of a scan 0xFF is always followed by 0x00 or by a restart's mark, so this finds marks only.
    scan = content.rfind(_START_OF_SCAN)
    if scan < 0 or content.find(_END_OF_IMAGE, scan) < 0:
        _fail("is a picture that ends too early", source, "a JPEG to its end mark", f"{len(content)} bytes")
    head = content[: content.find(_START_OF_SCAN)]
    return any(word in head for word in _TELLING_WORDS)


def _orientation(content: bytes) -> object:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            return picture.getexif().get(_ORIENTATION)
    except (OSError, SyntaxError, ValueError, EOFError):
        return None  # what cannot be decoded is told by who decodes


def _fail(message: str, source: str, expected: str, found: str) -> NoReturn:
    raise DataError(message, source=source, expected=expected, found=found)
