"""What arrives from a pod is unpacked with care."""

import io
import tarfile

import pytest

from sam2vlm.cluster.fetch import unpack
from sam2vlm.errors import DataError


def archive(path, name, data=b"x"):
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return path


def test_a_good_archive(tmp_path):
    (tmp_path / "out").mkdir()
    unpack(archive(tmp_path / "a.tar", "export/README.md", b"card"), tmp_path / "out")
    assert (tmp_path / "out" / "export" / "README.md").read_bytes() == b"card"


@pytest.mark.parametrize("name", ["../outside", "/../../outside"])
def test_a_member_that_would_leave_the_folder(name, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(archive(tmp_path / "a.tar", name), tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_a_cut_archive(tmp_path):
    whole = archive(tmp_path / "a.tar", "big", b"x" * 5000).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2000])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "a.tar", tmp_path)
