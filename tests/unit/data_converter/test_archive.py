"""Archives that are fine, and archives that mean harm."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import pickle
import stat
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from sam2vlm.data_converter.archive import ArchiveLimits, open_archive
from sam2vlm.errors import DataError, SettingsError


def zip_of(path, entries, *, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_a_zip_and_a_folder_of_the_same_files_read_the_same(tmp_path):
    entries = {"a.json": b"{}", "images/b.png": b"1" * 3000}
    folder = tmp_path / "folder"
    for name, content in entries.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for source in (zip_of(tmp_path / "x.zip", entries), folder):
        archive = open_archive(source)
        assert archive.names == ("a.json", "images/b.png")
        assert {name: archive.read(name) for name in archive.names} == entries
        assert archive.head("images/b.png", 5) == b"11111"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "\\evil",
        "..\\evil",
        "a\\..\\..\\evil",
        "C:\\evil",
        "c:evil",
        "//host/evil",
    ],
)
def test_a_name_that_leads_outside_is_refused_by_name(tmp_path, name):
    # ZipInfo would tidy the name up on the way in
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, b"boo")
    with pytest.raises(DataError, match="leads outside") as told:
        open_archive(tmp_path / "x.zip")
    assert repr(name)[1:-1] in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]


@pytest.mark.parametrize(
    ("kind", "what"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFBLK, "a device"), (stat.S_IFIFO, "a device")],
)
def test_links_and_devices_in_a_zip_are_refused_by_name(tmp_path, kind, what):
    info = zipfile.ZipInfo("images/odd.png")
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    with pytest.raises(DataError, match=f"images/odd.png, which is {what}"):
        open_archive(tmp_path / "x.zip")


def test_links_and_pipes_in_a_folder_are_refused_by_name(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "odd.png").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match=r"images/odd.png, which is a link"):
        open_archive(tmp_path)
    (tmp_path / "images" / "odd.png").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe, which is a device"):
        open_archive(tmp_path)
    with pytest.raises(DataError, match="a special file"):
        open_archive(tmp_path / "pipe")


def test_a_folder_that_is_reached_through_a_link_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.json").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("real")
    assert open_archive(tmp_path / "link").names == ("a.json",)


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_zip_is_told_in_one_sentence(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"x.zip: is not a ZIP archive"):
        open_archive(tmp_path / "x.zip")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_zip_is_refused(tmp_path, kept):
    whole = zip_of(tmp_path / "x.zip", {"a.json": os.urandom(5000)}).read_bytes()
    (tmp_path / "x.zip").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DataError, match="truncated"):
        open_archive(tmp_path / "x.zip")


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(DataError, match="expected a ZIP archive or a folder; found nothing"):
        open_archive(tmp_path / "absent.zip")


def patched(path, name, changes):
    """Write other values into the headers of one entry: offsets within the local and the central header."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        local = archive.getinfo(name).header_offset
        central = archive.start_dir
    for local_offset, central_offset, layout, value in changes:
        struct.pack_into(layout, content, local + local_offset, value)
        struct.pack_into(layout, content, central + central_offset, value)
    path.write_bytes(content)
    return path


def test_an_encrypted_entry_is_refused_by_name(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a.json": b"{}"})
    with pytest.raises(DataError, match=r"encrypted entry a.json"):
        open_archive(patched(path, "a.json", [(6, 8, "<H", 1)]))


def test_an_unknown_compression_is_told(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a.json": b"{}"})
    with pytest.raises(DataError, match=r"damaged entry a.json"):
        open_archive(patched(path, "a.json", [(8, 10, "<H", 97)])).read("a.json")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_flipped_bit_is_told_with_the_entry(tmp_path, compression):
    path = zip_of(tmp_path / "x.zip", {"images/a.png": bytes(range(256)) * 20}, compression=compression)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged entry images/a.png"):
        open_archive(path).read("images/a.png")


def test_a_bomb_is_refused_before_and_while_it_unpacks(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a.json": b"\0" * 30_000_000})
    with pytest.raises(DataError, match=r"a.json, which unpacks beyond all measure \(expected at most 100 bytes"):
        open_archive(path)
    # The same bomb with a header that says 1,000 bytes: no more than those come out, and they do not add up.
    lying = open_archive(patched(path, "a.json", [(22, 24, "<I", 1000)]))
    with pytest.raises(DataError, match=r"damaged entry a.json"):
        lying.read("a.json")


def test_the_ratio_is_a_setting(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"a.json": b"\0" * 3_000_000})
    archive = open_archive(path, limits=ArchiveLimits(ratio=2000))
    assert len(archive.read("a.json")) == 3_000_000


def test_the_unpacked_size_counts_every_entry_once(tmp_path):
    entries = {f"{number}.bin": os.urandom(1000) for number in range(4)}
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in entries.items():
        (folder / name).write_bytes(content)
    archive = open_archive(folder, limits=ArchiveLimits(unpacked_bytes=3000))
    for _ in range(5):
        for number in range(3):
            archive.read(f"{number}.bin")
    with pytest.raises(DataError, match=r"more than the limit, at 3.bin"):
        archive.read("3.bin")
    with pytest.raises(DataError, match="4000 bytes by its own account"):
        open_archive(zip_of(tmp_path / "x.zip", entries), limits=ArchiveLimits(unpacked_bytes=3000))


def test_an_entry_has_a_limit_of_its_own(tmp_path):
    (tmp_path / "a.json").write_bytes(b"x" * 100)
    for source in (tmp_path, zip_of(tmp_path / "x.zip", {"a.json": b"x" * 100})):
        assert len(open_archive(source).read("a.json", at_most=100)) == 100
        with pytest.raises(DataError, match=r"a.json, which is too large"):
            open_archive(source).read("a.json", at_most=99)


def test_the_number_of_entries_is_limited(tmp_path):
    entries = {f"{number}.bin": b"" for number in range(6)}
    path = zip_of(tmp_path / "x.zip", entries)
    (tmp_path / "folder").mkdir()
    for name in entries:
        (tmp_path / "folder" / name).touch()
    for source in (path, tmp_path / "folder"):
        assert len(open_archive(source, limits=ArchiveLimits(entries=6)).names) == 6
        with pytest.raises(DataError, match="too many entries"):
            open_archive(source, limits=ArchiveLimits(entries=5))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # zipfile warns of what the test is about
def test_an_entry_that_occurs_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.json", b"1")
        archive.writestr("a.json", b"2")
    with pytest.raises(DataError, match=r"a.json twice"):
        open_archive(tmp_path / "x.zip")


def test_litter_is_left_out(tmp_path):
    entries = {
        "__MACOSX/x/._a.json": b"",
        "x/.DS_Store": b"",
        "x/._a.json": b"",
        "x/Thumbs.db": b"",
        "x/desktop.ini": b"",
        "x/a.json": b"{}",
    }
    assert open_archive(zip_of(tmp_path / "x.zip", entries)).names == ("x/a.json",)


def test_names_in_utf8_are_read_whether_the_archive_says_so_or_not(tmp_path):
    path = zip_of(tmp_path / "x.zip", {"größe/図_1.png": b"1"})
    assert open_archive(path).names == ("größe/図_1.png",)
    silent = patched(path, "größe/図_1.png", [(6, 8, "<H", 0)])
    archive = open_archive(silent)
    assert archive.names == ("größe/図_1.png",)
    assert archive.read("größe/図_1.png") == b"1"


def test_many_threads_read_at_once(tmp_path):
    entries = {f"{number}.bin": os.urandom(200_000) for number in range(8)}
    archive = open_archive(zip_of(tmp_path / "x.zip", entries))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(archive.read, list(entries) * 4))
    assert found == list(entries.values()) * 4


def read_in_child(archive, names, expected, answers):
    answers.put([archive.read(name) for name in names] == expected)


def test_a_forked_process_reads_beside_its_parent(tmp_path):
    entries = {f"{number}.bin": os.urandom(100_000) for number in range(6)}
    archive = open_archive(zip_of(tmp_path / "x.zip", entries))
    archive.read("0.bin")
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=read_in_child, args=(archive, list(entries), list(entries.values()), answers))
    child.start()
    for _ in range(20):
        assert [archive.read(name) for name in entries] == list(entries.values())
    child.join()
    assert answers.get()


def test_an_archive_travels_to_another_process(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.bin").write_bytes(b"12345")
    for source in (tmp_path / "folder", zip_of(tmp_path / "x.zip", {"a.bin": b"12345"})):
        archive = pickle.loads(pickle.dumps(open_archive(source)))
        assert archive.read("a.bin") == b"12345"
        assert archive.path == source


def test_a_failing_disk_is_told_as_such(tmp_path, monkeypatch):
    archive = open_archive(zip_of(tmp_path / "x.zip", {"a.bin": b"12345"}))

    def fail(*_args, **_kwargs):
        raise OSError(errno.EACCES, "Permission denied", str(tmp_path / "x.zip"))

    monkeypatch.setattr(zipfile.ZipFile, "open", fail)
    with pytest.raises(SettingsError, match="no permission while reading the export"):
        archive.read("a.bin")
