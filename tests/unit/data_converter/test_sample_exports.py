"""The sample's exports through the parser: every dialect, and every defect either read or refused in one sentence."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from sam2vlm.annotations.coco_rle import decode_mask
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.errors import DataError
from sam2vlm.sample import DEFECTS, DIALECTS, write_sample

REFUSED = {
    "missing-frame": "has no picture in",
    "zero-objects": "holds no usable frame",
    "no-annotations": "holds no annotations",
    "empty-annotations": "holds no usable frame",
    "broken-json": "annotations.json: is not JSON",
    "wrong-shape": "annotations[0].objects: wrong type (expected a list of objects",
    "wrong-run-sum": "mask_rle: the runs do not add up to the mask's size (expected 65536 (256 x 256)",
    "truncated": "truncated",
    "bad-crc": "holds the damaged entry images/frame_",
    "encrypted": "holds the encrypted entry",
    "path-traversal": "'../../outside.txt'",
    "absolute-path": "holds an entry that leads outside",
    "symlink": "which is a link",
    "bomb": "unpacks beyond all measure",
}


RECORDS = [name for name, dialect in DIALECTS.items() if dialect.has_records]
OTHERS = [name for name in DIALECTS if name not in RECORDS]


def sample(tmp_path, **options):
    path = tmp_path / "sample.zip"
    write_sample(path, frames=8, objects=3, width=96, height=64, workers=1, **options)
    return path


def test_every_dialect_holds_the_same_scene(tmp_path):
    scenes = {}
    for dialect in RECORDS:
        parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect=dialect))
        assert parsed.metadata.dialect == dialect
        scenes[dialect] = parsed.frames
        (tmp_path / "sample.zip").unlink()
    demo, *others = scenes.values()
    for frames in others:
        assert [frame.frame_index for frame in frames] == [frame.frame_index for frame in demo]
        for mine, theirs in zip(demo, frames, strict=True):
            for one, other in zip(mine.objects, theirs.objects, strict=True):
                assert (one.object_id, one.label, one.visible) == (other.object_id, other.label, other.visible)
                if one.visible:
                    # the demo tool's grid has 2.7 cells to a pixel across and 4 down: edges agree within a pixel or so
                    assert one.bbox == pytest.approx(other.bbox, abs=2.0)
                    assert one.area == pytest.approx(other.area, rel=0.25, abs=8)
                    assert overlap(one, other) > 0.6


def on_frame_grid(tmp_path):
    """The visible objects of each frame, read from the dialect whose masks have the frame's own grid."""
    parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect="coco-compressed"))
    (tmp_path / "sample.zip").unlink()
    return [frame.visible_objects for frame in parsed.frames]


def test_coco_instances_hold_the_same_scene(tmp_path):
    expected = on_frame_grid(tmp_path)
    parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect="coco-instances"))
    assert parsed.metadata.dialect == "coco-instances"
    for frame, objects in zip(parsed.frames, expected, strict=True):
        assert [(item.object_id, item.label, item.mask, item.bbox, item.stored_bbox) for item in frame.objects] == [
            (item.object_id, item.label, item.mask, item.bbox, item.bbox) for item in objects
        ]


def test_automatic_masks_hold_the_same_scene_without_labels_and_identities(tmp_path):
    expected = on_frame_grid(tmp_path)
    parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect="automatic-masks"))
    assert parsed.metadata.dialect == "automatic-masks"
    masks = [[item.mask for item in frame.objects] for frame in parsed.frames]
    assert masks == [[item.mask for item in objects] for objects in expected]
    assert {track.visible_frames for track in parsed.tracks} == {1}
    assert {track.label for track in parsed.tracks} == {""}


def test_palette_pngs_hold_the_same_scene_where_objects_do_not_overlap(tmp_path):
    expected = on_frame_grid(tmp_path)
    parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect="palette-png"))
    assert parsed.metadata.dialect == "palette-png"
    for frame, objects in zip(parsed.frames, expected, strict=True):
        # the last one is drawn over the others
        assert frame.objects[-1].mask == objects[-1].mask
        found = {item.object_id - 1: item for item in frame.objects}
        for item in objects:
            assert found[item.object_id].area <= item.area


def test_sa_v_holds_every_fourth_frame_and_tells_its_own_visibility(tmp_path):
    path = sample(tmp_path, dialect="sa-v")
    parsed = SAM2Parser().parse_zip(path)
    assert [frame.frame_index for frame in parsed.frames] == list(range(0, 32, 4))
    assert (parsed.metadata.dialect, parsed.metadata.source_fps) == ("sa-v", 24.0)
    assert not any("masks say" in note for note in parsed.metadata.notes)
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("_manual.json")]
        told = json.loads(archive.read(name))
    assert [track.visibility_changes for track in parsed.tracks] == told["masklet_visibility_changes"]


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize("defect", ["wrapping-folder", "wrong-size", "painted-overlay"])
def test_defects_of_every_layout_are_read(tmp_path, dialect, defect):
    parsed = SAM2Parser().parse_zip(sample(tmp_path, dialect=dialect, defects=[defect]))
    assert len(parsed.frames) == 8
    assert all(frame.read_image() for frame in parsed.frames)


@pytest.mark.parametrize("dialect", OTHERS)
def test_a_missing_picture_is_refused_in_every_layout(tmp_path, dialect):
    path = sample(tmp_path, dialect=dialect, defects=["missing-frame"])
    with pytest.raises(DataError) as told:
        SAM2Parser().parse_zip(path)
    assert told.value.source.startswith(str(path))


@pytest.mark.parametrize("dialect", OTHERS)
def test_a_forced_dialect_of_another_layout_is_refused(tmp_path, dialect):
    path = sample(tmp_path, dialect="coco-compressed")
    with pytest.raises(DataError, match=r"sample\.zip"):
        SAM2Parser(dialect=dialect).parse_zip(path)


@pytest.mark.parametrize("dialect", OTHERS)
def test_a_forced_dialect_is_the_evidence(tmp_path, dialect):
    parsed = SAM2Parser(dialect=dialect).parse_zip(sample(tmp_path, dialect=dialect))
    assert parsed.metadata.evidence == f"the dialect setting is {dialect}"
    with pytest.raises(DataError, match="holds no annotations"):
        SAM2Parser(dialect="sam2-demo-1.0.0").parse_zip(tmp_path / "sample.zip")


def overlap(one, other):
    """IoU of two masks on their own grids, both looked up at the frame's pixels."""
    looked_up = []
    for item in (one, other):
        mask = decode_mask(item.mask)
        rows = (np.arange(64) + 0.5) / 64 * mask.shape[0]
        columns = (np.arange(96) + 0.5) / 96 * mask.shape[1]
        looked_up.append(mask[np.ix_(rows.astype(int), columns.astype(int))] > 0)
    union = (looked_up[0] | looked_up[1]).sum()
    return (looked_up[0] & looked_up[1]).sum() / union if union else 1.0


@pytest.mark.parametrize("defect", [name for name in DEFECTS if name not in REFUSED])
def test_a_defect_that_can_be_lived_with_is_read(tmp_path, defect):
    parsed = SAM2Parser().parse_zip(sample(tmp_path, defects=[defect]))
    assert parsed.frames
    assert all(frame.read_image() for frame in parsed.frames)
    seen = len(parsed.frames) + sum(map(len, parsed.dropped.values()))
    assert seen == (8 if defect != "swallowed-errors" else 7)


@pytest.mark.parametrize("defect", REFUSED)
def test_a_defect_that_nothing_helps_against_is_refused(tmp_path, defect):
    path = sample(tmp_path, defects=[defect])
    with pytest.raises(DataError) as told:
        [frame.read_image() for frame in SAM2Parser().parse_zip(path).frames]
    assert REFUSED[defect] in str(told.value)
    assert str(path) in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["sample.zip"]
