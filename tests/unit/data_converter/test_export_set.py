"""Several exports as one: no id twice, no frame twice, every label, and an account of each export."""

from dataclasses import replace

import pytest

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.export_set import GIVEN_TWICE, NamedExport, merge_exports


@pytest.fixture
def parse(tmp_path):
    """Write an export under a name and read it."""

    def read(name, export):
        return NamedExport(name, SAM2Parser().parse_zip(export.zip(tmp_path / name.replace("/", "-"))))

    return read


def relabelled(export, labels):
    other = export.copy()
    for record in other.annotations["annotations"]:
        for item, label in zip(record["objects"], labels, strict=True):
            item["label"] = label
    return other


def ids(merged):
    return [frame.sample_id for frame in merged.frames]


def test_one_export_stays_as_it_is(parse, export):
    one = parse("a.zip", export)
    merged = merge_exports([one])
    assert list(merged.frames) == list(one.export.frames)
    assert merged.metadata == one.export.metadata
    assert merged.videos == (one.export.metadata,)
    assert [(found.name, found.frames, found.objects, found.left_out) for found in merged.exports] == [
        ("a.zip", 3, 6, None)
    ]


def test_exports_of_equal_names_keep_ids_of_their_own_and_labels_are_united(parse, export):
    # Both say clip.mp4, frames 0, 6 and 12, objects 1 and 2, as the demo tool's exports do.
    first, second = parse("a.zip", export), parse("b.zip", relabelled(export, ["fish", "anchor"]))
    merged = merge_exports([first, second])
    assert len(merged.frames) == len(set(ids(merged))) == 6
    assert len({frame.video_id for frame in merged.frames}) == 2
    tracks = {(frame.video_id, item.object_id) for frame in merged.frames for item in frame.objects}
    assert len(tracks) == 4
    assert {label for found in merged.exports for label in found.labels} == {"fish", "crab", "anchor"}
    assert {found.name: dict(found.labels) for found in merged.exports} == {
        "a.zip": {"crab": 3, "fish": 3},
        "b.zip": {"anchor": 3, "fish": 3},
    }
    assert merged.metadata.filename is None
    assert merged.metadata.notes[0] == "2 exports were merged."
    assert merged.metadata.dialect == "sam2-demo-1.0.0"
    assert {video.video_id for video in merged.videos} == {frame.video_id for frame in merged.frames}


def test_the_order_in_which_they_are_given_does_not_matter(parse, export):
    exports = [parse(f"{label}.zip", relabelled(export, [label, "crab"])) for label in ("eel", "ray", "cod")]
    forward, backward = merge_exports(exports), merge_exports(exports[::-1])
    assert list(forward.frames) == list(backward.frames)
    assert (forward.metadata, forward.exports, forward.videos) == (
        backward.metadata,
        backward.exports,
        backward.videos,
    )


def test_the_same_export_twice_is_counted_and_left_out(parse, export, tmp_path):
    unpacked = NamedExport("b/unpacked", SAM2Parser().parse_zip(export.folder(tmp_path / "unpacked")))
    merged = merge_exports([unpacked, parse("a.zip", export)])
    assert len(merged.frames) == 3
    assert {reason: len(indices) for reason, indices in merged.dropped.items()} == {GIVEN_TWICE: 3}
    first, second = merged.exports
    assert (first.name, first.left_out) == ("a.zip", None)
    assert (second.name, second.left_out, second.dropped) == (
        "b/unpacked",
        "the same content as a.zip",
        {GIVEN_TWICE: 3},
    )
    assert "b/unpacked was left out: the same content as a.zip" in merged.metadata.notes


def test_the_same_annotations_in_another_text_are_the_same_content(parse, export):
    other = export.copy()
    other.annotations["export_config"]["export_timestamp"] = "2026-01-01T00:00:00Z"
    merged = merge_exports([parse("a.zip", export), parse("b.zip", other)])
    assert len(merged.frames) == 3
    assert merged.exports[1].left_out == "the same content as a.zip"


def test_the_same_annotations_on_other_pictures_are_two_exports(parse, export):
    other = export.copy()
    other.annotations["export_config"]["export_timestamp"] = "2026-01-01T00:00:00Z"
    name = "images/frame_000006.png"
    other.pictures[name] = export.pictures["images/frame_000012.png"]
    merged = merge_exports([parse("a.zip", export), parse("b.zip", other)])
    assert len(merged.frames) == len(set(ids(merged))) == 6
    assert [found.left_out for found in merged.exports] == [None, None]


def test_a_video_id_that_two_exports_tell_themselves_gets_a_suffix(parse, export):
    def told(name, labels):
        read = parse(name, relabelled(export, labels)).export
        return NamedExport(
            name,
            replace(
                read,
                frames=tuple(replace(frame, video_id="sav_000001") for frame in read.frames),
                metadata=replace(read.metadata, video_id="sav_000001"),
            ),
        )

    manual, auto = told("manual.zip", ["fish", "crab"]), told("auto.zip", ["fish", "eel"])
    merged = merge_exports([manual, auto])
    assert merged.frames == merge_exports([auto, manual]).frames
    assert len(merged.frames) == len(set(ids(merged))) == 6
    plain, suffixed = sorted({frame.video_id for frame in merged.frames})
    assert plain == "sav_000001"
    assert suffixed.startswith("sav_000001-")
    assert merged.same_video == {suffixed: plain}
    assert sum("Both show one video" in note for note in merged.metadata.notes) == 1
    assert all(frame.read_image() for frame in merged.frames)


def test_what_was_left_out_is_not_missed(parse, export):
    """The exporter lists a frame without objects and writes no picture: left out, with a reason, in its own export."""
    other = relabelled(export, ["eel", "ray"])
    other.annotations["annotations"][1]["objects"] = []
    del other.pictures["images/frame_000006.png"]
    merged = merge_exports([parse("a.zip", export), parse("b.zip", other)])
    assert sorted(video.frame_indices for video in merged.videos) == [(0, 6, 12), (0, 12)]
    assert sum(map(len, merged.dropped.values())) == 1
    assert len(merged.frames) == 5
