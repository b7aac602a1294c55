from __future__ import annotations

import json
import math

import pytest
from transformers import TrainerControl, TrainerState

from sam2vlm.checkpoints import BestModelTracker, CheckpointManager
from sam2vlm.errors import DataError
from sam2vlm.tracking import MetricsLog, read_metrics
from sam2vlm.trainers.callbacks import FiguresCallback, ScheduleCallback, Sinks
from sam2vlm.trainers.interruption import Interruption
from sam2vlm.trainers.window import FiguresWindow


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
    callback = schedule(tracker=BestModelTracker(patience=2))
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


def figures_callback(window, folder, *, every=1, open_sinks=None, scaled_loss=False):
    return FiguresCallback(
        window,
        scaled_loss=scaled_loss,
        every=every,
        samples_per_step=8,
        checkpoints=CheckpointManager(folder / "checkpoints", fingerprint="0" * 64, world_size=1),
        open_sinks=open_sinks,
    )


def log_steps(tmp_path, window, steps, *, name, after=None):
    metrics = MetricsLog(tmp_path / name, after_step=after)
    speed = MetricsLog(tmp_path / f"{name}-speed", after_step=after)
    sinks = Sinks(metrics=metrics, speed=speed, predictions=Silent(), board=Silent(), progress=Silent())
    callback = figures_callback(window, tmp_path, every=4, open_sinks=lambda _state: sinks)
    callback.on_train_begin(None, TrainerState(global_step=after or 0), None)
    for step in steps:
        state = TrainerState(global_step=step, max_steps=10, epoch=step / 10)
        callback.on_step_begin(None, state, None)
        window.take_batch([f"frame/{step}"], useful=90 + step, padded=128)
        callback.on_step_end(None, state, None)
        logs = {"loss": 1 / step, "grad_norm": 0.5, "learning_rate": 0.1}
        callback.on_log(None, state, None, logs=logs)
    callback.on_train_end(None, None, None)
    return read_metrics(tmp_path / name)


def test_a_line_has_the_mean_of_its_window(tmp_path):
    lines = log_steps(tmp_path, FiguresWindow(), range(1, 11), name="whole")
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert lines[0]["loss"] == math.fsum([1, 1 / 2, 1 / 3, 1 / 4]) / 4
    assert lines[2]["loss"] == math.fsum([1 / 9, 1 / 10]) / 2
    assert lines[0]["useful_token_share"] == (91 + 92 + 93 + 94) / (4 * 128)
    assert lines[2]["useful_token_share"] == (99 + 100) / (2 * 128)


def test_times_and_memory_are_in_a_file_of_their_own(tmp_path):
    lines = log_steps(tmp_path, FiguresWindow(), range(1, 11), name="whole")
    speed = read_metrics(tmp_path / "whole-speed")
    assert [line["step"] for line in speed] == [4, 8, 10]
    own = {"tokens_per_second", "samples_per_second", "peak_memory_gib"}
    assert all(own <= set(line) for line in speed)
    assert not any(own & set(line) for line in lines)


def test_a_resume_in_the_middle_of_a_window_writes_the_same_lines(tmp_path):
    whole = log_steps(tmp_path, FiguresWindow(), range(1, 11), name="whole")
    window = FiguresWindow()
    log_steps(tmp_path, window, range(1, 7), name="broken")
    window.settle()
    carried = FiguresWindow()
    carried.restore(json.loads(json.dumps(window.state())), last_loss=window.last_loss)
    assert log_steps(tmp_path, carried, range(7, 11), name="broken", after=6) == whole


def test_a_checkpoint_of_the_first_version_is_read():
    window = FiguresWindow()
    window.restore({"window": [1.0, 2.0]}, last_loss=2.0)
    assert (window.losses, window.last_loss, window.useful_share) == ([1.0, 2.0], 2.0, None)


def test_an_overflow_of_the_scaled_loss_is_no_error_and_no_figure(tmp_path):
    metrics = MetricsLog(tmp_path / "metrics.jsonl", after_step=None)
    sinks = Sinks(metrics=metrics, speed=Silent(), predictions=Silent(), board=Silent(), progress=Silent())
    callback = figures_callback(FiguresWindow(), tmp_path, scaled_loss=True, open_sinks=lambda _state: sinks)
    callback.on_train_begin(None, TrainerState(), None)
    for step, norm in ((1, math.inf), (2, 0.5)):
        state = TrainerState(global_step=step, max_steps=2)
        callback.on_step_end(None, state, None)
        callback.on_log(None, state, None, logs={"loss": 1.0, "grad_norm": norm, "learning_rate": 0.1})
    callback.on_train_end(None, None, None)
    assert [line.get("grad_norm") for line in read_metrics(tmp_path / "metrics.jsonl")] == [None, 0.5]


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_ends_the_run_and_names_samples_and_checkpoint(tmp_path, norm):
    window = FiguresWindow()
    callback = figures_callback(window, tmp_path)
    (tmp_path / "checkpoints" / "step-000002").mkdir(parents=True)
    callback.on_step_begin(None, TrainerState(global_step=2), None)
    window.take_batch(["film/1", "film/2", "film/1"], useful=3, padded=3)
    logs = {"loss": 1.0, "grad_norm": norm, "learning_rate": 0.1}
    with pytest.raises(DataError) as caught:
        callback.on_log(None, TrainerState(global_step=3, max_steps=9), None, logs=logs)
    assert str(caught.value) == (
        "film/1, film/2: grad_norm: the gradient is not finite at step 3; lower the learning rate or look at these "
        f"samples; the checkpoint of step 2 is kept (expected a finite number; found {norm})"
    )
