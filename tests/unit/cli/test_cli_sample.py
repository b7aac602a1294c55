import zipfile

import pytest
import typer
from typer.testing import CliRunner

from sam2vlm.cli.sample import sample
from sam2vlm.errors import SettingsError
from sam2vlm.sample import DEFECTS

app = typer.Typer()
app.command()(sample)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def test_it_writes_the_export_and_says_what_is_in_it(tmp_path):
    out = tmp_path / "out.zip"
    done = run("--frames", "3", "--objects", "2", "--size", "96x64", "--seed", "7", "--defect", "jpg-frames",
               "--defect", "missing-metadata", str(out))  # fmt: skip
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(out) as archive:
        assert len([name for name in archive.namelist() if name.endswith(".jpg")]) == 3
        assert "metadata.json" not in archive.namelist()
    assert "3 pictures of 3 frames, 2 objects" in done.output
    assert DEFECTS["jpg-frames"] in done.output


def test_the_help_lists_every_defect():
    shown = run("--help").output
    assert all(f"{name}:" in shown for name in DEFECTS)


@pytest.mark.parametrize("size", ["854", "854x", "x480", "8.5x4", "-1x9", "²x9"])
def test_a_size_that_cannot_be_read_is_named(tmp_path, size):
    done = run(f"--size={size}", str(tmp_path / "out.zip"))
    assert isinstance(done.exception, SettingsError)
    assert "WxH" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
