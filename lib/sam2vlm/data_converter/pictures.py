"""What a picture's first bytes say: its size and its format. The pixels stay packed."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from PIL.JpegImagePlugin import JpegImageFile

from sam2vlm.data_converter.file_kinds import kind_by_head
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["EXTENSIONS", "picture_extension", "picture_size"]

_HEAD_BYTES = 4096
# From here on Pillow takes a picture for a decompression bomb (Image.MAX_IMAGE_PIXELS), and so would all who read it.
_MOST_PIXELS = 1024**3 // 4 // 3
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Of the pictures that there are, the most frequent first.
EXTENSIONS = (".png", ".jpg")


def picture_size(archive: ExportArchive, name: str) -> tuple[int, int]:
    """Return a picture's width and height in pixels from its header.

    Raises:
        DataError: It is neither PNG nor JPEG, or larger than any frame.
    """
    # A header with a long colour profile does not fit the first bytes; then the whole is read.
    head = archive.head(name, _HEAD_BYTES)
    size = _size_of(head) or _size_of(archive.read(name))
    if size is None:
        raise DataError(
            "is no picture", source=f"{archive.path}: {name}", expected="a PNG or JPEG", found=kind_by_head(head)
        )
    width, height = size
    if not 0 < width * height <= _MOST_PIXELS:
        raise DataError(
            "is a picture of an impossible size",
            source=f"{archive.path}: {name}",
            expected=f"1 to {_MOST_PIXELS} pixels",
            found=f"{width} x {height}",
        )
    return width, height


def picture_extension(content: bytes) -> str | None:
    """Return ``.png`` or ``.jpg`` as the bytes themselves say, whatever the file is called; None for others."""
    if content.startswith(_PNG):
        return ".png"
    return ".jpg" if content.startswith(_JPEG) else None


def _size_of(content: bytes) -> tuple[int, int] | None:
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) >= 24:  # noqa: PLR2004  end of the sizes
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    try:
        # Not Image.open, which warns of a large picture on standard error before anybody can refuse it.
        with JpegImageFile(io.BytesIO(content)) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error):
        return None
