"""Row by row or column by column: the pictures decide where nothing else does, and only where they are clear."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from sam2vlm.annotations.runs import decode_runs, runs_from_pixels, runs_from_text
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.orientation import OrderScores
from sam2vlm.errors import DataError
from sam2vlm.sample import write_sample


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The sample's export without a word about its exporter."""
    path = tmp_path_factory.mktemp("drawn") / "export.zip"
    write_sample(path, frames=4, objects=4, width=192, height=120, seed=3, workers=1, defects=["no-exporter"])
    return path


def rewritten(path, target, change):
    """The export with another mask in place of each: ``change`` gets the pixels and returns ``mask_rle``."""
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "annotations.json":
                document = json.loads(content)
                for record in document["annotations"]:
                    for item in record["objects"]:
                        pixels = decode_runs(runs_from_text(item["mask_rle"]), 256, 256, "C")
                        item["mask_rle"] = change(pixels)
                content = json.dumps(document).encode()
            after.writestr(name, content)
    return target


def column_major(pixels):
    return " ".join(map(str, runs_from_pixels(pixels, "F")))


def moved(pixels):
    """The mask somewhere else: by half the grid down, and turned over."""
    return " ".join(map(str, runs_from_pixels(np.roll(pixels[:, ::-1], 128, axis=0), "C")))


def test_the_order_of_the_demo_tool_is_found_out(drawn):
    known = SAM2Parser(dialect="sam2-demo-1.0.0").parse_zip(drawn)
    parsed = SAM2Parser().parse_zip(drawn)
    assert parsed.frames == known.frames
    assert parsed.metadata.dialect == "sam2-demo-1.0.0"
    assert "times the picture's mean read row by row and " in parsed.metadata.evidence
    assert parsed.metadata.notes[-1].startswith("The order of the masks was found out: the picture's gradient under")


@pytest.mark.parametrize("change", [column_major, lambda pixels: runs_from_pixels(pixels, "F").tolist()])
def test_the_other_order_is_found_out_too(drawn, tmp_path, change):
    known = SAM2Parser(dialect="sam2-demo-1.0.0").parse_zip(drawn)
    parsed = SAM2Parser().parse_zip(rewritten(drawn, tmp_path / "export.zip", change))
    assert [frame.objects for frame in parsed.frames] == [frame.objects for frame in known.frames]
    assert parsed.metadata.dialect == "logits-column-major"
    assert "so they were read column by column" in parsed.metadata.evidence


def test_where_the_pictures_do_not_tell_the_settings_are_named(drawn, tmp_path):
    path = rewritten(drawn, tmp_path / "export.zip", moved)
    with pytest.raises(DataError, match=r"set the dialect to sam2-demo-1.0.0 .* or to logits-column-major") as told:
        SAM2Parser().parse_zip(path)
    assert told.value.field.endswith("].mask_rle")
    assert "row by row and" in told.value.found
    assert SAM2Parser(dialect="logits-column-major").parse_zip(path).metadata.dialect == "logits-column-major"


def test_a_damaged_picture_is_named(drawn, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(drawn) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content[: len(content) // 2] if name.endswith(".png") else content)
    with pytest.raises(DataError, match=r"frame_\d+\.png: is a damaged picture"):
        SAM2Parser().parse_zip(path)


@pytest.mark.parametrize(
    ("scores", "winner", "clear"),
    [
        (OrderScores(4.48, 1.84, 120, 118), "C", True),  # the real export of the design note
        (OrderScores(1.84, 4.48, 120, 2), "F", True),
        (OrderScores(1.9, 0.9, 8, 8), "C", False),  # on no edges
        (OrderScores(4.0, 3.0, 120, 118), "C", False),  # hardly better
        (OrderScores(4.48, 1.84, 120, 70), "C", False),  # by a few masks only
        (OrderScores(0.0, 0.0, 0, 0), "C", False),
    ],
)
def test_what_is_clear(scores, winner, clear):
    assert (scores.winner, scores.is_clear) == (winner, clear)
