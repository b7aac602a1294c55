from __future__ import annotations

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sam2vlm.tracking import SamplePrediction, TensorBoardLog


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(item.step, item.value) for item in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_figures_are_read_back_by_tensorboard(tmp_path):
    log = TensorBoardLog(tmp_path, after_step=None)
    log.write(step=1, loss=0.5, learning_rate=0.25)
    log.write(step=1, eval_loss=0.75)
    log.close()
    assert read(tmp_path) == {
        "train/loss": [(1, 0.5)],
        "train/learning_rate": [(1, 0.25)],
        "val/loss": [(1, 0.75)],
    }


def test_a_resumed_run_hides_the_steps_that_come_again(tmp_path):
    first = TensorBoardLog(tmp_path, after_step=None)
    for step in (1, 2, 3):
        first.write(step=step, loss=1.0)
    first.close()
    second = TensorBoardLog(tmp_path, after_step=1)
    second.write(step=2, loss=0.5)
    second.close()
    assert read(tmp_path)["train/loss"] == [(1, 1.0), (2, 0.5)]


def test_a_picture_is_pixel_by_pixel_what_was_drawn_and_a_text_what_was_written(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    log = TensorBoardLog(tmp_path, after_step=None)
    log.show([SamplePrediction("video/000007", stream.getvalue(), "**What?**\n\n    crab")], step=3)
    log.write(step=3, predictions_mAP50=0.5)
    log.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (found,) = events.Images("predictions/video/000007")
    assert found.step == 3
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.encoded_image_string))), pixels)
    (text,) = events.Tensors("predictions/video/000007/text_summary")
    assert text.tensor_proto.string_val[0].decode() == "**What?**\n\n    crab"
    assert read(tmp_path) == {"predictions/mAP50": [(3, 0.5)]}
