"""Several exports, bad ones among them, and their videos: prepare from the settings to the manifest."""

import json
import os
import re
import shutil
import zipfile

import pytest
from datasets import load_from_disk

from jobs.catalog import known_names
from jobs.job_settings import load_settings
from jobs.prepare.settings import PrepareSettings
from sam2vlm.artifacts import read_manifest
from sam2vlm.data_converter.export_set import GIVEN_TWICE
from sam2vlm.errors import SettingsError
from sam2vlm.sample import write_sample
from tests.videos import numbered, pictures_of_sample, write_video

SPLITS = ("train", "val", "test")
SAMPLE = {"frames": 48, "objects": 3, "width": 96, "height": 64}
# These runs are about where frames come from; the rules have tests of their own.
QUIET = {"VALIDATION__LEVEL": "report-only", "REPORT__PICTURES_PER_RULE": 0}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Two exports of other videos, one of them also unpacked, and one that is cut off."""
    folder = tmp_path_factory.mktemp("exports")
    write_sample(folder / "reef.zip", **SAMPLE, seed=5, defects=["repeated-names"], workers=1)
    write_sample(folder / "wreck.zip", **SAMPLE, seed=6, defects=["repeated-names"], classes=2, workers=1)
    shutil.unpack_archive(folder / "reef.zip", folder / "again")
    return folder


@pytest.fixture
def with_a_bad_one(exports, tmp_path):
    folder = tmp_path / "exports"
    shutil.copytree(exports, folder)
    content = (folder / "wreck.zip").read_bytes()
    (folder / "bad.zip").write_bytes(content[: len(content) // 2])
    return folder


def manifest_of(run):
    return read_manifest(run / "prepare" / "manifest.json")


def rows_of(run):
    dataset = load_from_disk(str(run / "prepare" / "dataset"))
    return {
        split: dataset[split].select_columns(["sample_id", "video_id", "frame_index"]).to_list() for split in SPLITS
    }


def test_a_folder_of_exports_is_merged_counted_and_told(with_a_bad_one, tmp_path, prepare_here):
    ended = prepare_here(EXPORT=with_a_bad_one, RUN=tmp_path / "run", SOURCES__BAD="skip", **QUIET)
    assert ended.code == 0
    (skipped,) = ended.named("skipped a bad export")
    assert skipped["export"] == "bad.zip"
    manifest = manifest_of(tmp_path / "run")
    assert manifest.counts.seen == 3 * 48
    assert manifest.counts.dropped[GIVEN_TWICE] == 48
    found = {one["name"]: one for one in manifest.facts["exports"]}
    assert list(found) == ["again", "bad.zip", "reef.zip", "wreck.zip"]
    assert (found["again"]["frames"], found["again"]["left_out"]) == (48, None)
    assert found["reef.zip"]["left_out"] == "the same content as again"
    assert found["bad.zip"]["left_out"].startswith("bad.zip: is not a ZIP archive, or a truncated one")
    assert sum(found["wreck.zip"]["labels"].values()) == found["wreck.zip"]["objects"] > 0
    assert set(manifest.facts["labels"]) == set(found["again"]["labels"]) | set(found["wreck.zip"]["labels"])
    assert set(manifest.inputs) == {f"export {name}" for name in found}
    rows = [row for split in rows_of(tmp_path / "run").values() for row in split]
    assert len({row["sample_id"] for row in rows}) == len(rows) == manifest.counts.kept
    assert len({row["video_id"] for row in rows}) == 2
    report = (tmp_path / "run" / "prepare" / "report.md").read_text()
    assert "## Exports" in report
    assert "the same content as again" in report
    assert str(tmp_path) not in report + (tmp_path / "run" / "prepare" / "manifest.json").read_text()
    assert not (tmp_path / "run" / "prepare" / ".sources").exists()


def test_one_bad_export_stops_the_run_and_is_named(with_a_bad_one, tmp_path, prepare_here):
    ended = prepare_here(EXPORT=with_a_bad_one, RUN=tmp_path / "run", **QUIET)
    assert ended.code == 65
    assert f"{with_a_bad_one / 'bad.zip'}: is not a ZIP archive" in ended.failures[0]["error"]
    assert not (tmp_path / "run" / "prepare").exists()


def test_a_picture_that_is_damaged_inside_of_a_good_archive_is_skipped_too(exports, tmp_path, prepare_here):
    write_sample(tmp_path / "crc.zip", **SAMPLE, seed=7, workers=1)
    with zipfile.ZipFile(tmp_path / "crc.zip") as archive:
        entry = next(found for found in archive.infolist() if found.filename.endswith(".png"))
    content = bytearray((tmp_path / "crc.zip").read_bytes())
    content[entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2] ^= 0xFF
    (tmp_path / "crc.zip").write_bytes(content)
    places = [str(exports / "wreck.zip"), str(tmp_path / "crc.zip")]
    ended = prepare_here(EXPORT=json.dumps(places), RUN=tmp_path / "run", SOURCES__BAD="skip", **QUIET)
    assert ended.code == 0
    found = {one["name"]: one["left_out"] for one in manifest_of(tmp_path / "run").facts["exports"]}
    assert found["wreck.zip"] is None
    assert "holds the damaged entry images/frame_" in found["crc.zip"]


def test_the_order_and_the_form_of_the_list_do_not_change_a_byte(exports, tmp_path, prepare_here):
    reef, wreck = str(exports / "reef.zip"), str(exports / "wreck.zip")
    assert prepare_here(EXPORT=json.dumps([reef, wreck]), RUN=tmp_path / "one", **QUIET).code == 0
    assert prepare_here(EXPORT=os.pathsep.join([wreck, reef]), RUN=tmp_path / "two", **QUIET).code == 0
    one, two = manifest_of(tmp_path / "one"), manifest_of(tmp_path / "two")
    assert one == two


PAINTED = {"frames": 60, "objects": 3, "width": 160, "height": 120, "seed": 3}
DEFECTS = ["painted-overlay", "constant-fps", "frames-without-image"]


def test_the_source_video_cures_paint_wrong_times_and_lost_negatives(tmp_path, prepare_here):
    write_sample(tmp_path / "painted.zip", **PAINTED, defects=DEFECTS, workers=1)
    settings = {"EXPORT": tmp_path / "painted.zip", "RUN": tmp_path / "run", "REPORT__PICTURES_PER_RULE": 0}
    ended = prepare_here(**settings)
    assert ended.code == 65
    assert "painted_overlay_check" in ended.failures[0]["error"]
    told = (tmp_path / "run" / "logs" / "prepare-report.md").read_text()
    assert re.search(r"pictures looked at are painted over at their objects \(9\d %\), for example frame \d+", told)

    video = write_video(tmp_path / "source.mp4", pictures_of_sample(**PAINTED, real_fps=24.0, quiet=True))
    assert prepare_here(**settings, VIDEO=video).code == 0
    manifest = manifest_of(tmp_path / "run")
    assert manifest.counts.seen == 60
    assert set(manifest.counts.dropped) <= {"split_gap"}
    assert set(manifest.inputs) == {"export", "video"}
    assert manifest.facts["video"]["source_fps"] == 24
    assert any("the export says 30; 59 timestamps changed" in note for note in manifest.facts["notes"])
    assert sum(split["negatives"] for split in manifest.facts["splits"].values()) > 0
    for split in SPLITS:
        for row in load_from_disk(str(tmp_path / "run" / "prepare" / "dataset"))[split]:
            assert row["timestamp_sec"] == pytest.approx(row["frame_index"] / 24)


def test_videos_and_exports_are_paired_by_what_is_given(exports, tmp_path, prepare_here):
    reef = write_video(tmp_path / "reef.mp4", pictures_of_sample(**SAMPLE, seed=5), fps=30)
    places = json.dumps([str(exports / "reef.zip"), str(exports / "wreck.zip")])
    settings = {"EXPORT": places, "RUN": tmp_path / "run", **QUIET}
    assert prepare_here(**settings, VIDEO=json.dumps({str(exports / "reef.zip"): str(reef)})).code == 0
    manifest = manifest_of(tmp_path / "run")
    # Not the path that was given: a manifest holds none.
    assert set(manifest.inputs) == {"export reef.zip", "export wreck.zip", "video reef.zip"}
    notes = {one["name"]: one["notes"] for one in manifest.facts["exports"]}
    assert any("taken from the source video" in note for note in notes["reef.zip"])
    assert not any("taken from the source video" in note for note in notes["wreck.zip"])


def mistakes(exports, tmp_path):
    video = write_video(tmp_path / "v.mp4", map(numbered, range(12)))
    both = json.dumps([str(exports / "reef.zip"), str(exports / "wreck.zip")])
    reef = exports / "reef.zip"
    return {
        "one video for two exports": (
            {"EXPORT": both, "VIDEO": video},
            78,
            "SAM2VLM_VIDEO: is one video, but there are 2 to take frames from",
        ),
        "a video for nobody": (
            {"EXPORT": both, "VIDEO": json.dumps({"ref.zip": str(video)})},
            78,
            "SAM2VLM_VIDEO: names an export or video that is not there (expected an export's name or path (reef.zip",
        ),
        "no such video": (
            {"EXPORT": reef, "VIDEO": tmp_path / "no.mp4"},
            65,
            f"{tmp_path / 'no.mp4'}: is not there (expected a video; found nothing)",
        ),
        "short video": (
            {"EXPORT": reef, "VIDEO": video},
            65,
            f"{video}: is shorter than the annotations: there is no frame 12 (expected at least 283 frames; found 12)",
        ),
        "no match": (
            {"EXPORT": f"{exports}/*.rar"},
            65,
            f"{exports}/*.rar: matches no export (expected a pattern of archives or folders; found nothing)",
        ),
        "no earlier dataset": (
            {"EXPORT": reef, "EXTEND": exports},
            65,
            f"{exports}: holds no prepared dataset (expected a run's folder, or its prepare folder",
        ),
    }


def test_mistakes_are_one_sentence_and_leave_nothing(exports, tmp_path, prepare_here, monkeypatch):
    for name, (settings, code, sentence) in mistakes(exports, tmp_path).items():
        for variable in ("VIDEO", "EXTEND"):
            monkeypatch.delenv(f"SAM2VLM_{variable}", raising=False)
        ended = prepare_here(**settings, RUN=tmp_path / "run", **QUIET)
        assert ended.code == code, (name, ended.printed)
        assert sentence in ended.failures[0]["error"], name
        left = {path.name for path in (tmp_path / "run").iterdir()}
        assert left <= {"logs", ".prepare.lock"}, name


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("EXPORT", "a.zip", "a.zip"),
        ("EXPORT", "123", "123"),
        ("EXPORT", '["a.zip", "b"]', ("a.zip", "b")),
        ("EXPORT", "[ab].zip", "[ab].zip"),
        ("VIDEO", "v.mp4", "v.mp4"),
        ("VIDEO", '{"a.zip": "v.mp4"}', {"a.zip": "v.mp4"}),
    ],
)
def test_places_are_paths_or_json(monkeypatch, variable, value, expected):
    monkeypatch.setenv(f"SAM2VLM_{variable}", value)
    assert getattr(load_settings(PrepareSettings, known=known_names()), variable.lower()) == expected


def test_places_of_another_shape(monkeypatch):
    monkeypatch.setenv("SAM2VLM_VIDEO", '{"a.zip": 3}')
    with pytest.raises(SettingsError, match="SAM2VLM_VIDEO"):
        load_settings(PrepareSettings, known=known_names())


def test_many_exports_do_not_run_into_the_limit_of_open_files():
    import resource

    from jobs.prepare.reading import _allow_open_files

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 300), hard))
        _allow_open_files(100)
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert allowed >= 700 if hard == resource.RLIM_INFINITY else allowed >= min(700, hard)
        _allow_open_files(1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == allowed
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
