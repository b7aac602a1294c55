"""What a file is by its first bytes, whatever it is called; for sentences about files that are something else."""

from __future__ import annotations

__all__ = ["HEAD_BYTES", "kind_by_head"]

#: As many bytes tell every kind that is known here; tar's mark stands last.
HEAD_BYTES = 512
# Where a kind's mark stands, the mark and the kind.
_KINDS = (
    (0, b"PK\x03\x04", "a ZIP archive's beginning without its end"),
    (0, b"PK\x05\x06", "a ZIP archive's end"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\x00", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"%PDF", "a PDF"),
    (4, b"ftyp", "a video or HEIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (257, b"ustar", "a tar archive"),
)


def kind_by_head(head: bytes) -> str:
    """Return in words what a file with these first bytes is.

    Args:
        head: At least :data:`HEAD_BYTES`, or the whole file where it is shorter.
    """
    known = next((kind for at, mark, kind in _KINDS if head.startswith(mark, at)), None)
    if known is not None:
        return known
    if not any(head):
        return "zero bytes" if head else "no bytes"
    return f"bytes that begin with {head[:16]!r}"
