"""Pictures that are none, that are cut off, or that their readers would show otherwise than they were exported."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import HEIGHT, INDICES, WIDTH, Parts, changed, picture

ROWS = Rows("pictures")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

PICTURE = "images/frame_000006.png"
ORIENTATION = 0x0112


def in_place(content):
    """A maker: the good export with other bytes for frame 6's picture; a callable gets the good ones."""

    def change(parts: Parts):
        parts.pictures[6] = content(parts.pictures[6]) if callable(content) else content

    return changed(change)


def every(content):
    """A maker: the good export with the same other bytes for every picture."""
    return changed(lambda parts: parts.pictures.update(dict.fromkeys(INDICES, content)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind, data):
    """A PNG with one more chunk behind its header."""
    return lambda content: content[:33] + chunk(kind, data) + content[33:]


def with_header(layout, at, value):
    """A PNG with another value in its header, whose checksum is right."""

    def change(content):
        header = bytearray(content[16:29])
        struct.pack_into(layout, header, at, value)
        return content[:8] + chunk(b"IHDR", bytes(header)) + content[33:]

    return change


def turned(kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return picture(kind=kind, exif=exif)


def animated():
    stream = io.BytesIO()
    frames = [Image.new("RGB", (WIDTH, HEIGHT), (shade, 40, 90)) for shade in (10, 200)]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def deep_grey():
    stream = io.BytesIO()
    Image.new("I;16", (WIDTH, HEIGHT), 40_000).save(stream, "PNG")
    return stream.getvalue()


def huge_jpeg():
    """A JPEG whose header tells 20,000 x 20,000."""
    content = bytearray(picture(kind="JPEG"))
    at = content.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", content, at, 20_000, 20_000)
    return bytes(content)


def none(name, broken, content, found):
    refused(name, broken, in_place(content), PICTURE, "a PNG or JPEG", found)


def early(name, broken, content, expected):
    refused(name, broken, in_place(content), PICTURE, expected, "")


none("no-bytes", "a picture has no bytes", b"", "no bytes")
none("text", "a picture is a text", b"see attachment\n", "bytes that begin with b'see attachment")
none("svg", "a picture is an SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "bytes that begin with b'<svg")
none("gif", "a picture is a GIF", picture(kind="GIF"), "a GIF picture")
none("bmp", "a picture is a BMP", picture(kind="BMP"), "a BMP picture")
none("webp", "a picture is a WebP", picture(kind="WEBP"), "a WebP picture")
none("tiff", "a picture is a TIFF", picture(kind="TIFF"), "a TIFF picture")
none("zeros", "a picture is all zero bytes", bytes(5000), "zero bytes")
none("no-header", "a PNG ends inside of its header", lambda content: content[:20], "a PNG picture")
none("jpeg-without-size", "a JPEG ends before its size", picture(kind="JPEG")[:60], "a JPEG picture")
early(
    "half-a-png",
    "a PNG was cut off before it was packed",
    lambda content: content[: len(content) // 2],
    "a PNG to its last chunk",
)
early("png-without-end", "a PNG lacks its last chunk", lambda content: content[:-12], "a PNG to its last chunk")
early("half-a-jpeg", "a JPEG was cut off before it was packed", picture(kind="JPEG")[:-20], "a JPEG to its end mark")
tolerated(
    "png-called-jpg",
    "PNGs are called .jpg",
    changed(lambda parts: setattr(parts, "picture_name", "images/frame_{:06d}.jpg")),
)
tolerated("jpeg-called-png", "a JPEG is called .png", in_place(picture(kind="JPEG")))
tolerated("bytes-behind", "other bytes stand behind a PNG's end", in_place(lambda content: content + b"\0" * 100))
repaired(
    "another-size",
    "a picture has half the video's size",
    in_place(picture(WIDTH // 2, HEIGHT // 2)),
    "Frame 6 has a picture of another size than the video's 64 x 48; boxes are in the picture's pixels.",
)
repaired(
    "turned-size",
    "a picture has the video's width and height in each other's place",
    in_place(picture(HEIGHT, WIDTH)),
    "Frame 6 has a picture of another size than the video's 64 x 48",
)
repaired("one-pixel", "a picture has one pixel", in_place(picture(1, 1)), "Frame 6 has a picture of another size")
refused(
    "no-width",
    "a PNG's header tells no width",
    in_place(with_header(">I", 0, 0)),
    PICTURE,
    "1 to 89478485 pixels",
    "0 x 48",
)
refused(
    "huge-width",
    "a PNG's header tells 4 billion columns",
    in_place(with_header(">I", 0, 2**32 - 1)),
    PICTURE,
    "1 to 89478485 pixels",
    "4294967295 x 48",
)
refused(
    "bomb",
    "a PNG's header tells 10,000 x 10,000",
    in_place(lambda content: with_header(">I", 4, 10_000)(with_header(">I", 0, 10_000)(content))),
    PICTURE,
    "1 to 89478485 pixels",
    "10000 x 10000",
)
refused(
    "jpeg-bomb",
    "a JPEG's header tells 20,000 x 20,000",
    in_place(huge_jpeg()),
    PICTURE,
    "1 to 89478485 pixels",
    "20000 x 20000",
)
refused("deep-grey", "a picture has 16 bits of grey", in_place(deep_grey()), PICTURE, "8 bits a sample", "16")
refused("animated", "a picture is an animation", in_place(animated()), PICTURE, "one picture", "2 frames")
refused(
    "turned-jpeg",
    "a JPEG is to be shown turned",
    in_place(turned("JPEG", 6)),
    PICTURE,
    "no orientation, or 1",
    "the orientation 6",
)
refused(
    "turned-png",
    "a PNG is to be shown turned",
    in_place(turned("PNG", 3)),
    PICTURE,
    "no orientation, or 1",
    "the orientation 3",
)
tolerated("upright", "a JPEG says that it is upright", in_place(turned("JPEG", 1)))
tolerated("palette", "a picture has a palette", in_place(picture(mode="P")))
tolerated("grey", "a picture is grey", in_place(picture(mode="L")))
tolerated("see-through", "a picture has an alpha channel", in_place(picture(mode="RGBA")))
tolerated("cmyk", "a JPEG has printing colours", in_place(picture(kind="JPEG", mode="CMYK")))
tolerated("interlaced", "a JPEG is progressive", in_place(picture(kind="JPEG", progressive=True)))
repaired(
    "all-the-same",
    "every frame has the same picture",
    every(picture()),
    "has the same picture as frame 0, byte by byte",
)
