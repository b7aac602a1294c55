"""Entries that are read past zipfile are what zipfile reads, and what it would refuse is left to it."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter.archive import ArchiveLimits, open_archive
from sam2vlm.data_converter.zip_stored import stored_content, stored_head
from sam2vlm.errors import DataError

CONTENT = bytes(range(256)) * 9


class Unseekable(io.RawIOBase):
    """A pipe, into which zipfile writes sizes and checksums behind the content."""

    def __init__(self):
        self.written = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.written += data
        return len(data)


def archive(name="a.png", content=CONTENT, *, packed=False, extra=b"", stream=None):
    stream = stream or io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.extra = extra
        opened.writestr(info, content)
        opened.writestr("b.txt", b"behind it")
    return bytes(stream.getvalue() if isinstance(stream, io.BytesIO) else stream.written)


def reader(data):
    return lambda offset, size: data[offset : offset + size]


def entry(data):
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return opened.infolist()[0]


@pytest.mark.parametrize("name", ["a.png", "bilder/größe.png", "図/一.png", "x" * 500])
@pytest.mark.parametrize("content", [CONTENT, b""])
@pytest.mark.parametrize("extra", [b"", b"\xfe\xca\x04\x00abcd"])
@pytest.mark.parametrize("streamed", [False, True])
def test_stored_entries_are_what_zipfile_reads(name, content, extra, streamed):
    data = archive(name, content, extra=extra, stream=Unseekable() if streamed else None)
    assert bool(entry(data).flag_bits & 0x8) is streamed
    assert stored_content(reader(data), entry(data)) == content
    assert stored_head(reader(data), entry(data), 100) == content[:100]
    assert stored_head(reader(data), entry(data), 10**6) == content


def test_what_is_not_plainly_right_is_left_to_zipfile():
    def found(data, info):
        return stored_content(reader(data), info), stored_head(reader(data), info, 9)

    packed = archive(packed=True)
    assert found(packed, entry(packed)) == (None, None)
    data = archive()
    for field, value in [("compress_size", 8), ("flag_bits", 0x40), ("orig_filename", "b.png"), ("header_offset", 7)]:
        other = entry(data)
        setattr(other, field, value)
        assert found(data, other) == (None, None), field
    long = archive("x" * 600)
    assert found(long, entry(long)) == (None, None)
    for cut in (10, 40, 200):
        assert stored_content(reader(data[:cut]), entry(data)) is None
    wrong = entry(data)
    wrong.CRC ^= 1
    assert found(data, wrong) == (None, CONTENT[:9])


def by_zipfile(path):
    try:
        with zipfile.ZipFile(path) as opened:
            return opened.read("a.png")
    except Exception:  # noqa: BLE001  whatever it raises on damaged bytes
        return None


def by_us(path):
    try:
        return open_archive(path, limits=ArchiveLimits()).read("a.png")
    except (DataError, KeyError):
        return None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_archive_gives_what_zipfile_gives(tmp_path_factory, data):
    content = bytearray(archive(content=b"a picture's bytes"))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(content)
    found = by_us(path)
    # An archive that zipfile reads may be refused for what it holds, but never is there another content.
    assert found is None or found == by_zipfile(path)


def test_a_flipped_bit_of_a_stored_picture_is_told(tmp_path):
    content = bytearray(archive())
    content[200] ^= 4
    path = tmp_path / "export.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"holds the damaged entry a\.png"):
        open_archive(path, limits=ArchiveLimits()).read("a.png")
