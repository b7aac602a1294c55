"""The rules on real masks: none crashes, and those over tracks are wrong as rarely as they were measured to be."""

import json
from pathlib import Path

import pycocotools.mask
import pytest

from sam2vlm.annotations.boxes import scale_box
from sam2vlm.annotations.coco_rle import mask_from_runs, read_coco
from sam2vlm.annotations.runs import reorder_runs, runs_area, runs_box, runs_from_text
from sam2vlm.annotations.types import Frame, ObjectAnnotation, VideoMetadata
from sam2vlm.validation import (
    BalanceAnalyzer,
    BasicChecks,
    QualityMetrics,
    Status,
    Validator,
    area_jump_check,
    area_outlier_check,
    coordinate_space_check,
    default_label_check,
    flicker_check,
    fragmented_mask_check,
    identity_swap_check,
    label_change_check,
    label_spelling_check,
    near_duplicate_check,
    object_area_check,
    overlap_check,
    shape_jump_check,
)

DATA = Path(__file__).parents[4] / "shared" / "data"
RULES = [
    *BasicChecks.get_all_checks(),
    BalanceAnalyzer(),
    QualityMetrics(),
    coordinate_space_check,
    object_area_check,
    area_outlier_check,
    fragmented_mask_check,
    overlap_check,
    identity_swap_check,
    flicker_check,
    area_jump_check,
    shape_jump_check,
    label_spelling_check,
    label_change_check,
    default_label_check,
    near_duplicate_check,
]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real exports lie beside the checkout, in ../shared/data")


def masklets(name):
    """The frames of an SA-V file, read without the parser."""
    told = json.loads((DATA / name).read_text())
    size = int(told["video_width"]), int(told["video_height"])
    frames = []
    for index, masks in enumerate(told["masklet"]):
        objects = []
        for object_id, value in zip(told["masklet_id"], masks, strict=True):
            runs, height, width = read_coco(value)
            mask = mask_from_runs(runs, height, width)
            box = tuple(map(float, runs_box(runs, height, width, "F") or ()))
            objects.append(ObjectAnnotation(object_id, "", mask, box or None, float(runs_area(runs))))
        frames.append(Frame(told["video_id"], 4 * index, index / 6, *size, tuple(objects)))
    return frames


def demo():
    frames = []
    for entry in json.loads((DATA / "sam2_demo_export" / "annotations.json").read_text())["annotations"]:
        objects = []
        for value in entry["objects"]:
            runs = runs_from_text(value["mask_rle"])
            box = scale_box(runs_box(runs, 256, 256, "C"), (256, 256), (854, 480))
            mask = mask_from_runs(reorder_runs(runs, 256, 256), 256, 256)
            area = runs_area(runs) * 854 * 480 / 65536
            objects.append(ObjectAnnotation(value["object_id"], value["label"], mask, box, area))
        frames.append(Frame("demo", entry["frame_index"], entry["timestamp_sec"], 854, 480, tuple(objects)))
    return frames


@pytest.fixture(scope="module")
def results():
    metadata = VideoMetadata("demo", None, 854, 480, None, None, None, "sam2-demo-1.0.0", "as exported")
    sets = {
        "manual": {"frames": masklets("sav_000001_manual.json")},
        "auto": {"frames": masklets("sav_000001_auto.json")},
        "demo": {"frames": demo(), "metadata": metadata},
    }
    return {name: (dataset, Validator().add_rule(RULES).validate(dataset)) for name, dataset in sets.items()}


def test_no_rule_crashes_and_only_the_missing_labels_and_pictures_fail(results):
    for name, (_dataset, found) in results.items():
        failed = [rule.rule_id for rule in found.rules if rule.status is Status.FAILED]
        # SA-V's objects have no labels.
        assert failed == ([] if name == "demo" else ["class_balance_analysis"]), name


def test_overlaps_are_those_of_pycocotools(results):
    for dataset, found in results.values():
        worst = 0.0
        for frame in dataset["frames"]:
            coded = [item.mask.coco() for item in frame.visible_objects]
            for number in range(len(coded) - 1):
                one = [{**coded[number], "counts": coded[number]["counts"].encode()}]
                rest = [{**value, "counts": value["counts"].encode()} for value in coded[number + 1 :]]
                worst = max(worst, pycocotools.mask.iou(one, rest, [0] * len(rest)).max())
        overlapping = found.rule("overlap_check")
        assert bool(overlapping.findings) is bool(worst > 0.8)


def test_the_rules_over_tracks_are_rarely_wrong_on_real_tracks(results):
    rates = {}
    for rule in ("identity_swap_check", "area_jump_check", "shape_jump_check", "fragmented_mask_check"):
        found = [found.rule(rule) for _dataset, found in results.values()]
        rates[rule] = (sum(len(result.findings) for result in found), sum(result.checked for result in found))
    assert rates["identity_swap_check"][0] <= 0.005 * rates["identity_swap_check"][1]
    assert rates["area_jump_check"][0] <= 0.03 * rates["area_jump_check"][1]
    assert rates["shape_jump_check"][0] <= 0.06 * rates["shape_jump_check"][1]


def test_exchanged_tracks_are_found_on_real_tracks(results):
    frames = results["manual"][0]["frames"]
    from dataclasses import replace

    found = expected = 0
    for half in range(10, len(frames) - 1, 10):
        before = {item.object_id for item in frames[half - 1].visible_objects}
        pair = sorted(before & {item.object_id for item in frames[half].visible_objects})[:2]
        if len(pair) < 2:
            continue
        swap = {pair[0]: pair[1], pair[1]: pair[0]}
        spoilt = [
            replace(
                frame, objects=tuple(replace(i, object_id=swap.get(i.object_id, i.object_id)) for i in frame.objects)
            )
            for frame in frames[half : half + 2]
        ]
        result = identity_swap_check({"frames": [*frames[half - 2 : half], *spoilt]})
        expected += 1
        found += any(item.frame_index == frames[half].frame_index for item in result.findings)
    assert expected >= 10
    assert found >= 0.8 * expected, (found, expected)
