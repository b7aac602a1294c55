"""Missing annotations and duplicate frames, case by case."""

from sam2vlm.validation import BasicChecks, Severity, Status, duplicate_frames_check, missing_annotations_check


def test_the_four_basic_rules_have_the_names_of_the_specification(made):
    dataset = made.dataset(made.frame(0, made.thing()))
    results = [rule(dataset) for rule in BasicChecks.get_all_checks()]
    assert [(result.rule_id, result.severity) for result in results] == [
        ("missing_annotations_check", Severity.ERROR),
        ("duplicate_frames_check", Severity.WARNING),
        ("mask_integrity_check", Severity.ERROR),
        ("bounding_box_check", Severity.ERROR),
    ]
    assert {result.status for result in results} == {Status.PASSED}


def test_no_frames_is_an_error(made):
    result = missing_annotations_check(made.dataset())
    assert [(item.message, item.severity) for item in result.findings] == [
        ("the dataset has no frames", Severity.ERROR)
    ]


def test_no_visible_object_anywhere_is_an_error(made):
    result = missing_annotations_check(made.dataset(made.frame(0, made.absent()), made.frame(1, picture=b"x")))
    assert result.status is Status.FAILED
    assert [item.message for item in result.findings] == ["no frame shows a single object"]


def test_a_picture_without_objects_is_a_negative_and_no_fault(made):
    dataset = made.dataset(made.frame(0, made.thing()), made.frame(1, picture=b"x"), made.frame(2, made.absent()))
    result = missing_annotations_check(dataset)
    assert result.status is Status.PASSED
    # Frame 2 has no picture, so it cannot become an example.
    assert result.facts["negatives"] == 1


def test_one_of_five_missing_is_a_warning_and_one_of_four_an_error(made):
    frames = [made.frame(index, made.thing()) for index in range(4)]
    result = missing_annotations_check(made.dataset(*frames, frame_indices=(0, 1, 2, 3, 4)))
    assert result.status is Status.PASSED_WITH_WARNINGS
    assert [(item.frame_index, item.message) for item in result.findings] == [
        (4, "is listed by the exporter but has no annotation")
    ]
    one_of_four = made.dataset(*frames[:3], frame_indices=(0, 1, 2, 3))
    assert missing_annotations_check(one_of_four).status is Status.FAILED
    lenient = BasicChecks.get_all_checks(max_missing_percent=25)[0]
    assert lenient(one_of_four).status is Status.PASSED_WITH_WARNINGS


def test_what_the_parser_left_out_is_told_and_not_missing(made):
    dataset = made.dataset(made.frame(0, made.thing()), frame_indices=(0, 6, 12))
    result = missing_annotations_check({**dataset, "dropped": {"no visible object and no picture": (6, 12)}})
    assert [(item.message, item.severity) for item in result.findings] == [
        ("2 frames were left out: no visible object and no picture", Severity.WARNING)
    ]
    assert result.facts["missing"] == 0


def test_an_annotation_with_neither_objects_nor_picture_is_missing(made):
    result = missing_annotations_check(made.dataset(made.frame(0, made.thing()), made.frame(1)))
    assert [(item.frame_index, item.severity) for item in result.findings] == [(1, Severity.ERROR)]


def test_the_listed_frames_of_another_video_are_not_asked_of_this_one(made):
    result = missing_annotations_check(
        made.dataset(made.frame(0, made.thing()), made.frame(7, made.thing(), video_id="w"), frame_indices=(0,))
    )
    assert result.status is Status.PASSED


def test_equal_pictures_and_equal_indices_are_found_within_a_video_only(made):
    dataset = made.dataset(
        made.frame(0, made.thing(), picture=b"a"),
        made.frame(1, made.thing(), picture=b"b"),
        made.frame(2, made.thing(), picture=b"a"),
        made.frame(2, made.thing(), picture=b"c"),
        made.frame(3, made.thing(), picture=b"a"),
        made.frame(0, made.thing(), picture=b"a", video_id="w"),
        made.frame(9, made.thing()),
    )
    result = duplicate_frames_check(dataset)
    assert [(item.video_id, item.frame_index, item.message) for item in result.findings] == [
        ("v", 2, "its index comes more than once"),
        ("v", 2, "has the same picture as frame 0, byte by byte"),
        ("v", 3, "has the same picture as frame 0, byte by byte"),
    ]
    assert result.status is Status.PASSED_WITH_WARNINGS
    assert result.facts == {"duplicates": 3, "pictures": 6}
