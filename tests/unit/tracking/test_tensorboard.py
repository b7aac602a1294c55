from __future__ import annotations

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sam2vlm.tracking import TensorBoardLog


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
