"""mAP against pycocotools' own summary and against cases counted by hand."""

from __future__ import annotations

import contextlib
import io
import json
import random

import pytest
import structlog
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.evaluation.average_precision import AveragePrecision, average_precision


def fish(x, y, w, h):
    return SeenObject("fish", (x, y, w, h))


def crab(x, y, w, h):
    return SeenObject("crab", (x, y, w, h))


def summary_of_pycocotools(predicted, truth, folder):
    """The two figures of ``COCOeval.summarize``, by the road of files and ``loadRes`` that everybody takes."""
    labels = sorted({item.label for frame in truth for item in frame})

    def rows(frames):
        return [
            {"image_id": image, "category_id": labels.index(item.label) + 1, "bbox": list(item.bbox)}
            for image, frame in enumerate(frames, start=1)
            for item in frame
            if item.label in labels
        ]

    annotations = [
        entry | {"id": number, "area": entry["bbox"][2] * entry["bbox"][3], "iscrowd": 0}
        for number, entry in enumerate(rows(truth), start=1)
    ]
    images = [{"id": image} for image in range(1, len(truth) + 1)]
    categories = [{"id": number, "name": name} for number, name in enumerate(labels, start=1)]
    path = folder / "truth.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
        evaluation = COCOeval(coco, coco.loadRes([entry | {"score": 1.0} for entry in rows(predicted)]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[1], evaluation.stats[0]


@pytest.mark.parametrize("seed", range(6))
def test_it_says_what_pycocotools_says(seed, tmp_path):
    rng = random.Random(seed)

    def box(label):
        return SeenObject(label, (rng.uniform(0, 90), rng.uniform(0, 90), rng.uniform(4, 60), rng.uniform(4, 60)))

    def shaken(item):
        return SeenObject(item.label, tuple(value * rng.uniform(0.85, 1.15) for value in item.bbox))

    labels = ("crab", "fish", "net")
    truth = [[box(rng.choice(labels)) for _ in range(rng.randrange(5))] for _ in range(20)]
    predicted = [[shaken(item) for item in frame if rng.random() < 0.8] for frame in truth]
    predicted = [[*frame, *(box(rng.choice(labels)) for _ in range(rng.randrange(3)))] for frame in predicted]
    overall, _ = average_precision(predicted, truth)
    assert (overall.ap50, overall.ap50_95) == pytest.approx(
        summary_of_pycocotools(predicted, truth, tmp_path), abs=1e-6
    )
    assert 0.1 < overall.ap50 < 1


def test_the_truth_itself_scores_one():
    truth = [[fish(1, 2, 30, 40), crab(50, 50, 3, 3)], [], [fish(0, 0, 5, 5)]]
    overall, by_class = average_precision(truth, truth)
    perfect = AveragePrecision(1.0, 1.0)
    assert overall == perfect
    assert by_class == {"crab": perfect, "fish": perfect}


def test_half_found_counts_half():
    # Recall ends at 1/2 with precision 1: COCO reads precision at the recalls 0.00 ... 1.00, 51 of 101 are reached.
    overall, _ = average_precision([[fish(0, 0, 10, 10)]], [[fish(0, 0, 10, 10), fish(50, 50, 10, 10)]])
    assert overall.ap50 == pytest.approx(51 / 101, abs=1e-6)


def test_iou_of_0_64_passes_three_of_ten_thresholds():
    # 8 x 8 inside of 10 x 10: IoU 0.64, so 0.50, 0.55 and 0.60 are passed.
    overall, _ = average_precision([[fish(1, 1, 8, 8)]], [[fish(0, 0, 10, 10)]])
    assert overall == AveragePrecision(1.0, 0.3)


def test_a_class_that_is_never_found_halves_the_mean():
    truth = [[fish(0, 0, 10, 10), crab(20, 20, 10, 10)]]
    overall, by_class = average_precision([[fish(0, 0, 10, 10), fish(20, 20, 10, 10)]], truth)
    assert by_class["crab"].ap50 == 0.0
    assert by_class["fish"].ap50 == 1.0, "the wrong fish comes after the right one"
    assert overall.ap50 == 0.5


def test_an_invented_box_before_the_right_one_halves_precision():
    overall, _ = average_precision([[fish(80, 80, 5, 5), fish(0, 0, 10, 10)]], [[fish(0, 0, 10, 10)]])
    assert overall.ap50 == 0.5


def test_boxes_where_nothing_is_count_against_the_model():
    truth = [[], [fish(0, 0, 10, 10)]]
    overall, _ = average_precision([[fish(0, 0, 10, 10)], [fish(0, 0, 10, 10)]], truth)
    assert overall.ap50 == 0.5


def test_nothing_predicted_is_zero_and_nothing_to_find_is_undefined():
    assert average_precision([[]], [[fish(0, 0, 1, 1)]])[0] == AveragePrecision(0.0, 0.0)
    assert average_precision([[fish(0, 0, 1, 1)]], [[]]) == (AveragePrecision(None, None), {})


def test_pycocotools_is_kept_quiet(capsys):
    with structlog.testing.capture_logs() as events:
        average_precision([[fish(0, 0, 10, 10)]], [[fish(0, 0, 10, 10)]])
    assert capsys.readouterr().out == ""
    assert "index created" in events[0]["said"]
