"""The thresholds of class balance and of object sizes, from both sides."""

import pytest

from sam2vlm.validation import BalanceAnalyzer, QualityMetrics, ReportGenerator, Severity, Status, Validator


def counted(made, **labels):
    things = [
        made.thing(label=label, object_id=number) for number, label in enumerate(labels) for _ in range(labels[label])
    ]
    return made.dataset(*(made.frame(index, item) for index, item in enumerate(things)))


@pytest.mark.parametrize(
    ("crabs", "words"),
    [(4, None), (5, "moderate imbalance: 5 crab to 1 eel, 5.0:1"), (9, "moderate"), (10, "severe imbalance: 10 crab")],
)
def test_the_ratio_of_the_commonest_to_the_rarest(made, crabs, words):
    result = BalanceAnalyzer(imbalance_threshold=10.0).check(counted(made, eel=1, crab=crabs))
    assert result.rule_id == "class_balance_analysis"
    if words is None:
        assert result.status is Status.PASSED
    else:
        assert result.status is Status.PASSED_WITH_WARNINGS
        assert result.findings[0].message.startswith(words)


def test_the_severe_threshold_is_the_callers(made):
    dataset = counted(made, eel=1, crab=3)
    assert BalanceAnalyzer(imbalance_threshold=3.0).check(dataset).findings[0].message.startswith("severe")
    assert BalanceAnalyzer(imbalance_threshold=3.5).check(dataset).status is Status.PASSED
    with pytest.raises(ValueError, match="at least 1"):
        BalanceAnalyzer(imbalance_threshold=0.5)


def test_objects_frames_and_tracks_are_counted_apart_and_the_invisible_not(made):
    dataset = made.dataset(
        made.frame(0, made.thing(object_id=1), made.thing(object_id=2), made.absent(object_id=3)),
        made.frame(1, made.thing(object_id=1), made.thing(object_id=9, label="eel")),
    )
    result = BalanceAnalyzer().check(dataset)
    assert result.facts["labels"] == {
        "crab": {"objects": 3, "frames": 2, "tracks": 2},
        "eel": {"objects": 1, "frames": 1, "tracks": 1},
    }
    assert list(result.facts["labels"]) == ["crab", "eel"]


def test_labels_that_differ_by_a_blank_stay_apart(made):
    dataset = made.dataset(made.frame(0, made.thing(label="crab")), made.frame(1, made.thing(label="crab ")))
    results = Validator().add_rule(BalanceAnalyzer()).validate(dataset)
    assert list(results.rules[0].facts["labels"]) == ["crab", "crab "]
    report = ReportGenerator.generate_report(results)
    assert "| crab | 1 |" in report
    assert '| "crab " | 1 |' in report


def test_no_labels_at_all_is_an_error_and_a_missing_one_a_warning(made):
    nothing = BalanceAnalyzer().check(made.dataset(made.frame(0, made.thing(label=" "))))
    assert [(item.message, item.severity) for item in nothing.findings] == [
        ("no visible object has a label", Severity.ERROR)
    ]
    assert "archive.default_label" in nothing.recommendation
    assert "rare labels" not in nothing.recommendation
    one = BalanceAnalyzer().check(made.dataset(made.frame(0, made.thing(label=""), made.thing())))
    assert [(item.message, item.severity) for item in one.findings] == [
        ("1 visible objects have no label", Severity.WARNING)
    ]


def test_more_than_five_percent_small_objects_is_a_warning_with_each_of_them(made):
    # 0.1 % of 40 x 30 pixels is 1.2 pixels: one pixel is small, two are not.
    small, large = made.thing(3, 3, 1, 1), made.thing(3, 3, 2, 1)
    one_of_twenty = made.dataset(*(made.frame(i, small if i == 0 else large) for i in range(20)))
    one_of_nineteen = made.dataset(*(made.frame(i, small if i == 0 else large) for i in range(19)))
    assert QualityMetrics(min_object_area_percent=0.1).check(one_of_twenty).status is Status.PASSED
    result = QualityMetrics(min_object_area_percent=0.1).check(one_of_nineteen)
    assert [item.message for item in result.findings] == [
        "5.3 % of the objects are small, expected at most 5 %",
        "covers 0.083 % of the frame (1 pixels)",
    ]
    assert result.findings[1].frame_index == 0
    assert result.facts["area_percent"] == {
        "smallest": 0.0833, "median": 0.1667, "mean": 0.1623, "largest": 0.1667
    }  # fmt: skip
    assert QualityMetrics(min_object_area_percent=0.05).check(one_of_nineteen).status is Status.PASSED


def test_less_than_one_object_a_frame_is_a_warning(made):
    full, empty = made.frame(0, made.thing()), made.frame(1, made.absent())
    assert QualityMetrics().check(made.dataset(full)).status is Status.PASSED
    result = QualityMetrics().check(made.dataset(full, empty))
    assert [item.message for item in result.findings] == ["0.50 visible objects a frame, expected at least 1"]
    assert QualityMetrics(min_objects_per_frame=0.5).check(made.dataset(full, empty)).status is Status.PASSED


def test_an_empty_dataset_is_measured_without_a_crash(made):
    assert QualityMetrics().check(made.dataset()).facts["area_percent"] == {}
    assert BalanceAnalyzer().check(made.dataset()).status is Status.FAILED
