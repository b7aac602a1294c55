"""The specification's way to validate, plain dictionaries, rules of one's own, and the reports."""

import json

import pytest

from sam2vlm.errors import DataError
from sam2vlm.validation import (
    BalanceAnalyzer,
    BasicChecks,
    Finding,
    QualityMetrics,
    ReportGenerator,
    RuleResult,
    Severity,
    Status,
    Validator,
)


def all_rules():
    return (
        Validator()
        .add_rule(BasicChecks.get_all_checks())
        .add_rule(BalanceAnalyzer(imbalance_threshold=10.0))
        .add_rule(QualityMetrics(min_object_area_percent=0.1))
    )


def no_eels(dataset):
    found = [
        Finding.of_object(frame, item, "is an eel", Severity.WARNING)
        for frame in dataset["frames"]
        for item in frame.objects
        if item.label == "eel"
    ]
    return RuleResult("no_eels", Severity.WARNING, 1, "frames", tuple(found), "eels", "Let it go.")


def test_the_six_named_rules_in_their_order(made):
    results = all_rules().validate(made.dataset(made.frame(0, made.thing())))
    assert [result.rule_id for result in results.rules] == [
        "missing_annotations_check",
        "duplicate_frames_check",
        "mask_integrity_check",
        "bounding_box_check",
        "class_balance_analysis",
        "quality_metrics",
    ]
    assert results.status is Status.PASSED
    assert results.is_valid
    assert (results.frames, results.objects, results.visible_objects) == (1, 1, 1)


def test_statuses_add_up_to_the_worst(made):
    warned = all_rules().validate(made.dataset(made.frame(0, made.thing(stored_area=99.0))))
    assert (warned.status, warned.is_valid) == (Status.PASSED_WITH_WARNINGS, True)
    failed = all_rules().validate(made.dataset(made.frame(0, made.thing(stored_area=99.0, bbox=None))))
    assert (failed.status, failed.is_valid) == (Status.FAILED, False)
    assert (failed.count(Severity.ERROR), failed.count(Severity.WARNING)) == (1, 1)


def test_a_rule_of_ones_own_as_a_function_a_list_or_an_object(made):
    class Object:
        def check(self, dataset):
            return no_eels(dataset)

    dataset = made.dataset(made.frame(0, made.thing(label="eel")))
    for rule in (no_eels, [no_eels], (no_eels,), Object(), [Object()]):
        assert Validator().add_rule(rule).validate(dataset).rule("no_eels").status is Status.PASSED_WITH_WARNINGS
    with pytest.raises(KeyError):
        Validator().add_rule(no_eels).validate(dataset).rule("quality_metrics")


def test_what_is_no_rule_and_what_cannot_be_reported_is_refused(made):
    for wrong in ("no_eels", 3, None, ["no_eels"]):
        with pytest.raises(TypeError, match="check method"):
            Validator().add_rule(wrong)
    with pytest.raises(ValueError, match="no rule was added"):
        Validator().validate(made.dataset())
    with pytest.raises(ValueError, match="one name"):
        Validator().add_rule([no_eels, no_eels]).validate(made.dataset())


def plain(**changes):
    # 4 x 3 grid; column-major: 4 zeros, then the pixels (row 1, column 1) and (row 2, column 1).
    item = {
        "object_id": 3,
        "label": "crab",
        "mask_rle": {"size": [3, 4], "counts": [4, 2, 6]},
        "bbox": [1, 1, 1, 2],
        "area": 2,
        "confidence": 0.95,
    }
    return {"frame_index": 5, "timestamp_sec": 0.5, "objects": [{**item, **changes}]}


def test_plain_dictionaries_are_taken_too():
    seen = []

    def look(dataset):
        seen.extend(dataset["frames"])
        return no_eels(dataset)

    metadata = {"video": {"width": 4, "height": 3}}
    results = all_rules().add_rule(look).validate({"frames": [plain()], "metadata": metadata})
    assert results.status is Status.PASSED
    assert (seen[0].frame_index, seen[0].timestamp_sec, seen[0].width, seen[0].height) == (5, 0.5, 4, 3)
    item = seen[0].objects[0]
    assert (item.object_id, item.bbox, item.area, item.stored_bbox) == (3, (1, 1, 1, 2), 2, (1, 1, 1, 2))
    # Without metadata the mask's own size serves.
    assert all_rules().validate({"frames": [plain()]}).status is Status.PASSED


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"mask_rle": {"size": [3, 4], "counts": [4, 2, 5]}}, "mask_integrity_check"),
        ({"mask_rle": {"size": [3, 4], "counts": [12]}}, "mask_integrity_check"),
        ({"mask_rle": None}, "mask_integrity_check"),
        ({"bbox": [3, 2, 1, 1]}, "bounding_box_check"),
        ({"label": ""}, "class_balance_analysis"),
    ],
)
def test_faults_in_plain_dictionaries_are_found(changes, rule):
    dataset = {"frames": [plain(**changes)], "metadata": {"width": 4, "height": 3}}
    assert all_rules().validate(dataset).rule(rule).status is Status.FAILED


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([{"frame_index": 0}], 'frames[0]: wrong shape (expected {"frame_index"'),
        ([plain(object_id="x")], "frames[0].objects[0].object_id: wrong shape (expected a number; found x)"),
        ([plain(bbox=[1, 2])], "frames[0].objects[0].bbox: wrong shape (expected [x, y, w, h]"),
        ([plain(mask_rle="1 2 9")], "frames[0].objects[0].mask_rle: is no COCO mask; read the export with SAM2Parser"),
        ([plain(mask_rle={"size": [3], "counts": [12]})], "frames[0].objects[0].mask_rle: is not a size"),
        ([plain(mask_rle={"size": [3, 4], "counts": "é"})], "frames[0].objects[0].mask_rle: is not a COCO string"),
        ([{"frame_index": 0, "objects": ["x"]}], "frames[0].objects[0]: wrong shape (expected an object; found x)"),
        ([{"frame_index": 0, "objects": []}], "frames[0]: the frame's size is not told"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_field(frames, words):
    with pytest.raises(DataError) as error:
        all_rules().validate({"frames": frames})
    assert words in str(error.value)


def rich(made):
    small = [made.frame(index, made.thing(2, 2, 1, 1, label="sea|slug")) for index in range(12)]
    return made.dataset(
        *small, made.frame(20, made.thing(bbox=None, object_id=4)), notes=("re-zipped by hand",), filename="clip.mp4"
    )


def test_the_markdown_report_has_its_sections_status_evidence_and_ten_items(made):
    report = ReportGenerator.generate_report(all_rules().validate(rich(made)), dataset_name="clip")
    titles = [line.removeprefix("## ") for line in report.splitlines() if line.startswith("## ")]
    assert titles == ["Summary", "Passed Checks", "Warnings", "Errors", "Recommendations", "Class Distribution"]
    assert report.startswith("# Data report: clip\n\n**FAILED**: ")
    assert "- Dialect: `coco-compressed`\n- Evidence: sizes are stored\n" in report
    assert "- re-zipped by hand\n" in report
    assert report.count("covers 0.083 % of the frame") == 9  # the share itself is the first of ten items
    assert "- ... and 3 more; report.json has them all.\n" in report
    assert "- frame 20, object 4 (crab): is visible but has no box\n" in report
    assert "| sea\\|slug | 12 | 92.3 % | 12 | 1 | ████████████████████████ |\n" in report
    assert "| crab | 1 | 7.7 % | 1 | 1 | ██ |\n" in report


def test_a_clean_report_says_none_where_nothing_is(made):
    report = ReportGenerator.generate_report(all_rules().validate(made.dataset(made.frame(0, made.thing()))))
    assert "## Warnings\n\nNone.\n\n## Errors\n\nNone.\n\n## Recommendations\n\nNone: nothing was found.\n" in report


def test_reports_are_saved_as_text_or_json_by_class_and_by_instance(made, tmp_path):
    results = all_rules().validate(rich(made))
    report = ReportGenerator().generate_report(results, dataset_name="clip")
    ReportGenerator.save_report(report, tmp_path / "deep" / "report.md")
    ReportGenerator().save_report(results, str(tmp_path / "report.json"))
    assert (tmp_path / "deep" / "report.md").read_text() == report
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["status"] == "FAILED"
    quality = next(rule for rule in stored["rules"] if rule["rule"] == "quality_metrics")
    assert len(quality["items"]) == 13
    assert quality["items"][1] == {
        "frame_index": 0,
        "label": "sea|slug",
        "message": "covers 0.083 % of the frame (1 pixels)",
        "object_id": 1,
        "severity": "warning",
        "video_id": "v",
    }


def test_the_report_is_the_same_every_time(made):
    first, second = (ReportGenerator.generate_report(all_rules().validate(rich(made))) for _ in range(2))
    assert first == second
