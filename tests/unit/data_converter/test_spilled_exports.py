"""An export whose records stay on the disk is read like one whose records are in memory, also where it is broken."""

from __future__ import annotations

import json
import zipfile

import pytest

from sam2vlm.data_converter import json_fields
from sam2vlm.data_converter.sam2_parser import SAM2Parser
from sam2vlm.errors import DataError
from sam2vlm.sample import write_sample

SAMPLE = {"frames": 12, "objects": 3, "width": 96, "height": 64, "seed": 5, "workers": 1}


@pytest.fixture
def spilled(monkeypatch):
    monkeypatch.setattr(json_fields, "_SPILL_FROM", 0)


@pytest.fixture(params=["sam2-demo-1.0.0", "coco-compressed", "coco-uncompressed", "coco-instances"])
def export(request, tmp_path):
    write_sample(tmp_path / "a.zip", **SAMPLE, dialect=request.param)
    return tmp_path / "a.zip"


def test_frames_and_metadata_are_the_same(export, request):
    in_memory = SAM2Parser().parse_zip(export)
    request.getfixturevalue("spilled")
    on_disk = SAM2Parser().parse_zip(export)
    assert on_disk.frames == in_memory.frames
    assert on_disk.metadata == in_memory.metadata
    assert on_disk.dropped == in_memory.dropped


@pytest.mark.parametrize(
    "broken",
    [
        lambda records: records.append(records[0]),
        lambda records: records.append(7),
        lambda records: records[3].update(objects="none"),
        lambda records: records[5].pop("frame_index"),
        lambda records: records[2]["objects"][0].update(mask_rle="1 2 3"),
    ],
    ids=["twice", "no object", "no list", "no index", "no mask"],
)
def test_errors_are_the_same(broken, tmp_path, request):
    write_sample(tmp_path / "a.zip", **SAMPLE)
    with zipfile.ZipFile(tmp_path / "a.zip") as good, zipfile.ZipFile(tmp_path / "b.zip", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name.endswith("annotations.json"):
                document = json.loads(content)
                broken(document["annotations"])
                content = json.dumps(document).encode()
            bad.writestr(name, content)
    with pytest.raises(DataError) as in_memory:
        SAM2Parser().parse_zip(tmp_path / "b.zip")
    request.getfixturevalue("spilled")
    with pytest.raises(DataError) as on_disk:
        SAM2Parser().parse_zip(tmp_path / "b.zip")
    assert str(on_disk.value) == str(in_memory.value)
