from __future__ import annotations

import math

import pytest
from transformers import TrainerControl, TrainerState

from sam2vlm.checkpoints import BestModelTracker
from sam2vlm.errors import DataError
from sam2vlm.tracking import MetricsLog, read_metrics
from sam2vlm.trainers.callbacks import FiguresCallback, FiguresWindow, ScheduleCallback
from sam2vlm.trainers.interruption import Interruption


class Silent:
    """A sink that only counts; the terminal and TensorBoard have tests of their own."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


def schedule(**options):
    return ScheduleCallback(
        **{
            "save_every": 4,
            "eval_every": 2,
            "tracker": BestModelTracker(),
            "interruption": Interruption(),
            "patience": None,
            **options,
        }
    )


def decide(callback, step, max_steps=10):
    control = TrainerControl()
    callback.on_step_end(None, TrainerState(global_step=step, max_steps=max_steps), control)
    return control


def test_evaluations_and_checkpoints_come_at_their_steps_and_at_the_last():
    callback = schedule()
    decisions = {step: decide(callback, step, max_steps=9) for step in range(1, 10)}
    assert [step for step, control in decisions.items() if control.should_evaluate] == [2, 4, 6, 8, 9]
    assert [step for step, control in decisions.items() if control.should_save] == [4, 8, 9]


def test_the_best_so_far_is_saved_and_patience_ends_the_run():
    callback = schedule(patience=2)
    outcomes = []
    for step, loss in ((0, 9.0), (2, 5.0), (4, 4.0), (6, 4.5), (8, 4.5)):
        control = TrainerControl()
        callback.on_evaluate(None, TrainerState(global_step=step), control, metrics={"eval_loss": loss})
        outcomes.append((control.should_save, control.should_training_stop))
    assert outcomes == [(False, False), (True, False), (True, False), (False, False), (True, True)]


def test_an_interruption_saves_and_stops_at_any_step():
    interruption = Interruption()
    callback = schedule(interruption=interruption)
    assert not decide(callback, 3).should_save
    interruption.asked = True
    control = decide(callback, 5)
    assert control.should_save
    assert control.should_training_stop


def log_steps(tmp_path, window, steps, *, name, after=None):
    metrics = MetricsLog(tmp_path / name, after_step=after)
    callback = FiguresCallback(window, every=4, open_sinks=lambda _state: (metrics, Silent(), Silent()))
    callback.on_train_begin(None, None, None)
    for step in steps:
        state = TrainerState(global_step=step, max_steps=10, epoch=step / 10)
        logs = {"loss": 1 / step, "grad_norm": 0.5, "learning_rate": 0.1}
        callback.on_log(None, state, None, logs=logs)
    callback.on_train_end(None, None, None)
    return read_metrics(tmp_path / name)


def test_a_line_has_the_mean_of_its_window(tmp_path):
    lines = log_steps(tmp_path, FiguresWindow(), range(1, 11), name="whole")
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert lines[0]["loss"] == math.fsum([1, 1 / 2, 1 / 3, 1 / 4]) / 4
    assert lines[2]["loss"] == math.fsum([1 / 9, 1 / 10]) / 2


def test_a_resume_in_the_middle_of_a_window_writes_the_same_lines(tmp_path):
    whole = log_steps(tmp_path, FiguresWindow(), range(1, 11), name="whole")
    window = FiguresWindow()
    log_steps(tmp_path, window, range(1, 7), name="broken")
    carried = FiguresWindow(losses=list(window.losses))
    assert log_steps(tmp_path, carried, range(7, 11), name="broken", after=6) == whole


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_ends_the_run(norm):
    callback = FiguresCallback(FiguresWindow(), every=1, open_sinks=None)
    logs = {"loss": 1.0, "grad_norm": norm, "learning_rate": 0.1}
    with pytest.raises(DataError, match="gradient is not finite at step 3"):
        callback.on_log(None, TrainerState(global_step=3, max_steps=9), None, logs=logs)
